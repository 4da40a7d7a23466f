//! Finding QEMU and telling whether it is new enough.

use std::fmt;
use std::io::Read;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::QemuError;
use crate::linked::readiness::wait;

/// A QEMU that does not tell its version within this time is none.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 4096;

/// QEMU's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuVersion {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl QemuVersion {
    /// From `major.minor` with anything behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let number = |part: &str| -> Option<u32> {
            part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        };
        Some(Self { major: number(parts.next()?)?, minor: number(parts.next()?)? })
    }
}

/// The QEMU to run: `HILARM_QEMU`, or `qemu-system-arm` of the search path.
pub fn qemu_binary() -> String {
    std::env::var("HILARM_QEMU").unwrap_or_else(|_| "qemu-system-arm".to_owned())
}

/// Asks a QEMU for its version; nothing when it cannot be run, or does not answer like a QEMU.
pub fn qemu_version(binary: &str) -> Option<QemuVersion> {
    let mut command = Command::new(binary);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let answer = child.stdout.take().map(read_answer).unwrap_or_default();
    // It has said all that is of interest; whatever else it does is not waited for.
    let _ = child.kill();
    let _ = child.wait();
    QemuVersion::parse(answer.split("version ").nth(1)?)
}

pub(crate) fn check_version(binary: &str, needed: &str, board: &str) -> Result<(), QemuError> {
    // One process runs one QEMU; asking it for its version takes as long as booting half a device.
    static FOUND: OnceLock<Option<QemuVersion>> = OnceLock::new();
    let found = FOUND.get_or_init(|| qemu_version(binary));
    let found = found.ok_or_else(|| QemuError::Absent { binary: binary.to_owned() })?;
    match QemuVersion::parse(needed) {
        Some(least) if found < least => {
            Err(QemuError::TooOld { found, needed: needed.to_owned(), board: board.to_owned() })
        }
        _ => Ok(()),
    }
}

fn read_answer(mut from: ChildStdout) -> String {
    let give_up = Instant::now() + ANSWER_LIMIT;
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    while bytes.len() < ANSWER_BYTES_MAX && wait(&mut [PollFd::new(&from, PollFlags::IN)], give_up).is_ok() {
        match from.read(&mut buffer) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let parse = |text| QemuVersion::parse(text).unwrap();
        assert!(parse("7.2.22 (Debian 1:7.2)") >= parse("7.2"));
        assert!(parse("10.0.2") > parse("7.2"));
        assert_eq!(QemuVersion::parse("seven"), None);
    }

    #[test]
    fn an_absent_qemu_has_no_version() {
        assert_eq!(qemu_version("no-such-qemu-anywhere"), None);
    }
}
