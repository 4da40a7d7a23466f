//! QEMU's monitor, as much of it as a serial cable needs: which pseudo terminal carries it.

use std::io::{BufRead, BufReader, Error, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The greeting, replies and events are far shorter.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Events that may come before a reply.
const LINES_MAX: usize = 64;

/// A connection to the monitor of one QEMU.
#[derive(Debug)]
pub(crate) struct Monitor {
    stream: BufReader<UnixStream>,
}

#[derive(Deserialize)]
struct Reply<T> {
    #[serde(rename = "return")]
    value: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    desc: String,
}

#[derive(Deserialize)]
struct CharacterDevice {
    label: String,
    filename: String,
}

/// A reply that says nothing but that it was done.
#[derive(Deserialize)]
struct Done {}

impl Monitor {
    /// Greets the monitor; no answer takes longer than `limit`.
    pub(crate) fn new(stream: UnixStream, limit: Duration) -> std::io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(limit))?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        monitor.execute::<Done>("qmp_capabilities")?;
        Ok(monitor)
    }

    /// The pseudo terminal behind the character device of this name.
    pub(crate) fn pseudo_terminal(&mut self, label: &str) -> std::io::Result<PathBuf> {
        let devices: Vec<CharacterDevice> = self.execute("query-chardev")?;
        let found = devices.iter().find(|device| device.label == label);
        let path = found.and_then(|device| device.filename.strip_prefix("pty:"));
        path.map(PathBuf::from).ok_or_else(|| Error::other(format!("QEMU has no pseudo terminal `{label}`")))
    }

    fn execute<T: DeserializeOwned>(&mut self, command: &str) -> std::io::Result<T> {
        self.stream.get_mut().write_all(format!("{{\"execute\":\"{command}\"}}\n").as_bytes())?;
        for _ in 0..LINES_MAX {
            let mut line = String::new();
            if self.stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
                return Err(Error::other(format!("QEMU closed its monitor at `{command}`")));
            }
            // JSON is YAML, and the greeting and events are replies without either field.
            let reply: Reply<T> = serde_yaml::from_str(&line).map_err(Error::other)?;
            match (reply.value, reply.error) {
                (Some(value), _) => return Ok(value),
                (None, Some(refusal)) => return Err(Error::other(refusal.desc)),
                (None, None) => {}
            }
        }
        Err(Error::other(format!("QEMU did not answer `{command}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: &str =
        "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n{\"return\": {}}\r\n";

    fn monitor(answers: &str) -> (std::io::Result<Monitor>, UnixStream) {
        let (ours, mut qemu) = UnixStream::pair().unwrap();
        qemu.write_all(format!("{GREETING}{answers}").as_bytes()).unwrap();
        (Monitor::new(ours, Duration::from_secs(1)), qemu)
    }

    #[test]
    fn the_terminal_is_found_by_its_name_among_others_and_between_events() {
        let (monitor, _qemu) = monitor(
            "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RESUME\"}\r\n\
             {\"return\": [{\"frontend-open\": true, \"filename\": \"file\", \"label\": \"serial0\"}, \
             {\"frontend-open\": true, \"filename\": \"pty:/dev/pts/7\", \"label\": \"link\"}]}\r\n",
        );
        assert_eq!(monitor.unwrap().pseudo_terminal("link").unwrap(), PathBuf::from("/dev/pts/7"));
    }

    #[test]
    fn a_refusal_a_silence_and_an_end_are_errors() {
        let (refused, _qemu) =
            monitor("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}\r\n");
        assert_eq!(refused.unwrap().pseudo_terminal("link").unwrap_err().to_string(), "no way");
        let (silent, _qemu) = monitor("");
        silent.unwrap().pseudo_terminal("link").unwrap_err();
        let (mut ended, qemu) = monitor("");
        drop(qemu);
        ended.as_mut().unwrap().pseudo_terminal("link").unwrap_err();
    }
}
