//! Waiting for descriptors, always bounded.

use std::time::Instant;

use rustix::event::{PollFd, poll};
use rustix::time::Timespec;

/// Nothing became ready in time.
#[derive(Debug)]
pub(crate) struct TimedOut;

/// Waits until one of the descriptors is ready, bounded by `give_up`.
pub(crate) fn wait(on: &mut [PollFd<'_>], give_up: Instant) -> Result<(), TimedOut> {
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TimedOut);
        }
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(on, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(_) => return Err(TimedOut),
        }
    }
}
