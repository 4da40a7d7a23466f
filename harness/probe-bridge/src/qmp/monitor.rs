//! A connection with QMP: greets it, asks once how the machine stands, then counts resets until QEMU goes.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::json;
use crate::link_error::LinkError;
use crate::stream::Stream;

/// The longest line taken; events are about 200 bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What events have told.
#[derive(Debug, Default)]
pub(crate) struct Events {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Told {
    resets: u64,
    gone: bool,
}

impl Events {
    /// Resets since the bridge began, whoever caused them.
    pub(crate) fn resets(&self) -> u64 {
        self.lock().resets
    }

    /// Waits until there was another reset than the first `seen`.
    pub(crate) fn await_reset(&self, seen: u64, limit: Duration) -> Result<(), LinkError> {
        let waiting = |told: &mut Told| told.resets == seen && !told.gone;
        let (told, _) = self
            .changed
            .wait_timeout_while(self.lock(), limit, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        match (told.gone, told.resets == seen) {
            (true, _) => Err(LinkError::Gone),
            (false, true) => Err(LinkError::Silent { what: "a reset".into(), limit }),
            (false, false) => Ok(()),
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection and the thread that reads it.
#[derive(Debug)]
pub(crate) struct Monitor {
    stream: Stream,
    reader: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Asks whether the machine runs, then listens. `on_gone` is called when QEMU closes the connection.
    pub(crate) fn start(
        stream: Stream,
        reply_limit: Duration,
        events: Arc<Events>,
        on_gone: impl FnOnce() + Send + 'static,
    ) -> Result<(Self, bool), LinkError> {
        let mut lines = Lines::new(stream.try_clone()?);
        let running = greet(&mut lines, &stream, reply_limit)?;
        stream.set_read_timeout(None)?;
        let reader = thread::Builder::new().name("probe-bridge-qmp".into()).spawn(move || {
            listen(&mut lines, &events);
            events.tell(|told| told.gone = true);
            on_gone();
        })?;
        Ok((Self { stream, reader: Some(reader) }, running))
    }

    /// Ends the connection and its thread.
    pub(crate) fn stop(&mut self) {
        self.stream.shutdown(Shutdown::Both);
        if let Some(reader) = self.reader.take() {
            // A thread that panicked has said so already.
            let _ = reader.join();
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Negotiates, and asks for the run state: whether the machine runs.
fn greet(lines: &mut Lines, stream: &Stream, limit: Duration) -> Result<bool, LinkError> {
    let deadline = Instant::now() + limit;
    stream.set_write_timeout(Some(limit))?;
    await_member(lines, stream, "QMP", deadline, limit)?;
    lines.stream.write_all(b"{\"execute\": \"qmp_capabilities\"}\n")?;
    await_member(lines, stream, "return", deadline, limit)?;
    lines.stream.write_all(b"{\"execute\": \"query-status\"}\n")?;
    let answer = await_member(lines, stream, "return", deadline, limit)?;
    let status = json::member(&answer, "status").and_then(json::string);
    let status = status.ok_or_else(|| LinkError::Garbled(format!("a run state {answer:.40}")))?;
    Ok(status == "running")
}

fn await_member(
    lines: &mut Lines,
    stream: &Stream,
    member: &str,
    deadline: Instant,
    limit: Duration,
) -> Result<String, LinkError> {
    loop {
        if let Some(line) = lines.take()? {
            if let Some(value) = json::member(&line, member) {
                return Ok(value.to_owned());
            }
            continue;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LinkError::Silent { what: format!("QMP with {member:?}"), limit });
        }
        stream.set_read_timeout(Some(left))?;
        lines.receive()?;
    }
}

/// Reads events until the connection ends, however it does.
fn listen(lines: &mut Lines, events: &Events) {
    loop {
        match lines.take() {
            Ok(Some(line)) if is_reset(&line) => events.tell(|told| told.resets += 1),
            Ok(Some(_)) => {}
            Ok(None) if lines.receive().is_ok() => {}
            Ok(None) | Err(_) => return,
        }
    }
}

fn is_reset(line: &str) -> bool {
    json::member(line, "event").and_then(json::string) == Some("RESET")
}

/// Lines of a stream, within a bound.
#[derive(Debug)]
struct Lines {
    stream: Stream,
    bytes: Vec<u8>,
}

impl Lines {
    fn new(stream: Stream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// A line that is complete.
    fn take(&mut self) -> Result<Option<String>, LinkError> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            let too_long = self.bytes.len() > LINE_BYTES_MAX;
            return if too_long { Err(LinkError::Garbled("a line without end".into())) } else { Ok(None) };
        };
        let line = self.bytes.drain(..=end).collect::<Vec<_>>();
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    /// Reads what comes within the stream's time-out.
    fn receive(&mut self) -> Result<(), LinkError> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(LinkError::Gone),
            Ok(length) => {
                self.bytes.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) if is_wait(error.kind()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const GREETING: &[u8] = b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n{\"return\": {}}\n";
    const STATUS: &[u8] =
        b"{\"event\": \"X\"}\n{\"return\": {\"status\": \"prelaunch\", \"running\": false}}\n";
    const RESET: &[u8] = b"{\"event\": \"RESET\", \"data\": {\"guest\": true}}\n";

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::Unix(ours), theirs)
    }

    #[test]
    fn resets_are_counted_and_the_end_is_told() {
        let (ours, mut qemu) = pair();
        qemu.write_all(GREETING).unwrap();
        qemu.write_all(STATUS).unwrap();
        let events = Arc::new(Events::default());
        let (gone, told) = mpsc::channel();
        let (mut monitor, running) =
            Monitor::start(ours, LIMIT, events.clone(), move || gone.send(()).unwrap()).unwrap();
        assert!(!running);
        qemu.write_all(RESET).unwrap();
        events.await_reset(0, LIMIT).unwrap();
        assert_eq!(events.resets(), 1);
        drop(qemu);
        told.recv_timeout(LIMIT).unwrap();
        assert!(matches!(events.await_reset(1, LIMIT), Err(LinkError::Gone)));
        monitor.stop();
    }

    #[test]
    fn silence_ends_with_what_was_waited_for() {
        let (ours, _qemu) = pair();
        let started = Monitor::start(ours, Duration::from_millis(20), Arc::default(), || {});
        let error = started.err().unwrap().to_string();
        assert!(error.contains("QMP") && error.contains("20ms"), "{error}");
    }

    #[test]
    fn a_reset_that_does_not_come_is_named() {
        let error = Events::default().await_reset(0, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.to_string(), "QEMU did not answer a reset within 1ms");
    }
}
