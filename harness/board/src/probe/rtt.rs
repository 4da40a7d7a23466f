//! Real-Time Transfer: rings in the chip's RAM that the probe reads and writes while the firmware runs. Channel 0
//! upwards carries the log as text; channel 1 in both directions carries the link of a board that has no other way.
//!
//! The control block is where the image's symbol says, never searched for. After a reset it still looks alive until
//! the firmware has made it anew, so its magic is wiped before the firmware runs.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use probe_rs::rtt::{Rtt as ControlBlock, ScanRegion};
use probe_rs::{Core, Session};

/// The symbol of the control block.
pub(super) const SYMBOL: &str = "_SEGGER_RTT";
const LOG_CHANNEL: usize = 0;
const LINK_CHANNEL: usize = 1;
/// A glance at the log stops an emulated core for a moment, so it is rare.
const LOG_PAUSE: Duration = Duration::from_millis(100);
/// A link that waits for its probe is slow enough.
const LINK_PAUSE: Duration = Duration::from_millis(1);
const TAIL_LINES: usize = 32;
const LINE_BYTES_MAX: usize = 1024;

/// The end of a log, and the lines that nobody has taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Bytes of a line that has not ended.
    rest: Vec<u8>,
    tail: VecDeque<String>,
    fresh: Vec<String>,
}

impl Log {
    /// Forgets what an earlier boot said.
    pub(super) fn clear(&self) {
        *self.lines() = Lines::default();
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        Vec::from(self.lines().tail.clone()).join("\n")
    }

    /// The lines since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines().fresh)
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, bytes: &[u8]) {
        let mut lines = self.lines();
        for &byte in bytes {
            if byte == b'\n' || lines.rest.len() >= LINE_BYTES_MAX {
                lines.end_line();
            }
            if byte != b'\n' && byte != b'\r' {
                lines.rest.push(byte);
            }
        }
    }
}

impl Lines {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned();
        if self.tail.len() >= TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        // A firmware that floods its log costs its oldest lines, not memory.
        if self.fresh.len() >= TAIL_LINES * TAIL_LINES {
            self.fresh.remove(0);
        }
        self.fresh.push(line);
    }
}

/// What the probe's thread carries.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    address: Option<u64>,
    block: Option<ControlBlock>,
    log: Log,
    link: Option<UnixStream>,
    /// Bytes for the firmware that its ring had no room for.
    down: Vec<u8>,
}

impl Rtt {
    /// Forgets the last boot and follows the next one, whose control block will be at `address`. The core is halted.
    pub(super) fn restart(
        &mut self,
        core: &mut Core<'_>,
        address: Option<u64>,
        log: Log,
    ) -> Result<(), probe_rs::rtt::Error> {
        *self = Self { address, log, link: self.link.take(), ..Self::default() };
        address.map_or(Ok(()), |address| ControlBlock::clear_control_block(core, &ScanRegion::Exact(address)))
    }

    /// From now on the link's bytes go through `link`, the other end of which is the harness's wire.
    pub(super) fn carry_link(&mut self, link: UnixStream) {
        self.link = Some(link);
    }

    /// How long the thread may wait for a request before it looks at the chip; for ever when there is nothing to see.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.address?;
        Some(if self.link.is_some() { LINK_PAUSE } else { LOG_PAUSE })
    }

    /// Moves what waits, in both directions. A core that does not answer is found out by the next request.
    pub(super) fn carry(&mut self, session: &mut Session) {
        if let Ok(mut core) = session.core(0)
            && self.try_carry(&mut core).is_err()
        {
            // Rings that make no sense any more: the firmware is making them anew, or has died.
            self.block = None;
        }
    }

    fn try_carry(&mut self, core: &mut Core<'_>) -> Result<(), probe_rs::rtt::Error> {
        let Some(address) = self.address else { return Ok(()) };
        if self.block.is_none() {
            // Not there before the firmware has made it.
            self.block = ControlBlock::attach_region(core, &ScanRegion::Exact(address)).ok();
        }
        let Some(block) = &mut self.block else { return Ok(()) };
        let mut buffer = [0; 4096];
        if let Some(channel) = block.up_channel(LOG_CHANNEL) {
            let length = channel.read(core, &mut buffer)?;
            self.log.push(&buffer[..length]);
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        if let Some(channel) = block.up_channel(LINK_CHANNEL) {
            let length = channel.read(core, &mut buffer)?;
            // The harness reads before it waits, so its end has room; if it is gone, the link is.
            if link.write_all(&buffer[..length]).is_err() {
                self.link = None;
                return Ok(());
            }
        }
        if let Some(channel) = block.down_channel(LINK_CHANNEL) {
            if self.down.is_empty() {
                match link.read(&mut buffer) {
                    Ok(length) => self.down.extend_from_slice(&buffer[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => self.link = None,
                }
            }
            if !self.down.is_empty() {
                let written = channel.write(core, &self.down)?;
                self.down.drain(..written);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_comes_as_lines_however_its_bytes_were_cut() {
        let log = Log::default();
        log.push(b"boot");
        assert_eq!(log.take(), [""; 0]);
        log.push(b"ed\r\nPANIC: no\nrest");
        assert_eq!(log.take(), ["booted", "PANIC: no"]);
        assert_eq!(log.take(), [""; 0]);
        assert_eq!(log.tail(), "booted\nPANIC: no");
    }

    #[test]
    fn a_log_that_never_ends_its_line_or_its_lines_is_bounded() {
        let log = Log::default();
        log.push(&[b'x'; 10 * LINE_BYTES_MAX]);
        assert!(log.take().iter().all(|line| line.len() <= LINE_BYTES_MAX));
        log.push("\n".repeat(100_000).as_bytes());
        assert_eq!(log.tail().lines().count(), TAIL_LINES - 1, "31 line ends between 32 empty lines");
        assert!(log.take().len() <= TAIL_LINES * TAIL_LINES);
    }
}
