//! A device that lives in its own time: what it must be told of the calendar, and a thread that rings when it has
//! said something. The thread only watches; reading is left to the next step, on the runner's thread.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hilarm_model::Now;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::exchange::TROUBLE_POLL;
use super::{Frames, Parts};
use crate::Doorbell;

/// Clocks of boards drift by some ten parts in a million; after this long the calendar is told anew.
const CALENDAR_FRESH: Duration = Duration::from_secs(60);
/// How often a wire is looked at that has nothing to wait on.
const BLIND_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// What is kept for such a device.
#[derive(Debug)]
pub(super) struct OwnTime {
    watch: Option<Watch>,
    /// Calendar less monotonic time, and the monotonic time at which the device was told; microseconds.
    told: Option<(i64, u64)>,
    host_asked: Instant,
}

impl OwnTime {
    pub(super) fn new() -> Self {
        Self { watch: None, told: None, host_asked: Instant::now() }
    }

    /// Whether the device must be told the calendar, and that it is told now.
    pub(super) fn is_news(&mut self, now: Now) -> bool {
        let mono = now.mono.as_micros();
        let offset = now.unix.as_micros().saturating_sub_unsigned(mono);
        let fresh = |since: u64| u128::from(mono.saturating_sub(since)) < CALENDAR_FRESH.as_micros();
        let news = !self.told.is_some_and(|(told, since)| told == offset && fresh(since));
        if news {
            self.told = Some((offset, mono));
        }
        news
    }

    /// Whether it is time to ask the host again, and that it is asked now.
    pub(super) fn asks_host(&mut self) -> bool {
        let due = self.host_asked.elapsed() >= TROUBLE_POLL;
        if due {
            self.host_asked = Instant::now();
        }
        due
    }

    /// From now on `bell` rings when the device has said something.
    pub(super) fn watch(&mut self, parts: &Parts, bell: &Doorbell) {
        self.watch = Watch::begin(parts, bell.clone());
    }

    /// All that was said has been read.
    pub(super) fn look_again(&mut self) {
        if let Some(watch) = &mut self.watch {
            // No room means that the thread has been told often enough.
            let _ = watch.control.write(&[0]);
        }
    }
}

/// The thread. It ends with its owner.
#[derive(Debug)]
struct Watch {
    control: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Nothing without descriptors or threads to spare: then the device is looked at as time passes.
    fn begin(parts: &Parts, bell: Doorbell) -> Option<Self> {
        let (control, controlled) = UnixStream::pair().ok()?;
        control.set_nonblocking(true).ok()?;
        let mut watched = Vec::new();
        if let Some(wire) = parts.wire.readiness() {
            watched.push(wire.try_clone_to_owned().ok()?);
        }
        let blind = watched.is_empty();
        if let Frames::Socket(socket) = &parts.frames {
            watched.push(socket.readiness().try_clone_to_owned().ok()?);
        }
        let thread = std::thread::Builder::new().name("doorbell".to_owned());
        let thread = thread.spawn(move || ring(&watched, blind, controlled, &bell)).ok()?;
        Some(Self { control, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Ends the thread wherever it waits. It fails only when the thread has ended already.
        let _ = self.control.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

/// Rings once, then waits until somebody has looked: what was not read yet would ring without end.
fn ring(watched: &[OwnedFd], blind: bool, mut control: UnixStream, bell: &Doorbell) {
    let mut looked = [0; 64];
    loop {
        let mut on: Vec<_> = watched.iter().map(|one| PollFd::new(one, PollFlags::IN)).collect();
        on.push(PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN));
        match poll(&mut on, blind.then_some(&BLIND_LOOK)) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        let (watched, control_ready) = on.split_at(watched.len());
        let rings = blind || watched.iter().any(|one| !one.revents().is_empty());
        let told = control_ready.iter().any(|one| !one.revents().is_empty());
        drop(on);
        if rings {
            bell.ring();
        }
        if (rings || told) && !matches!(control.read(&mut looked), Ok(1..)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilarm_model::{Monotonic, Timestamp};

    fn now(mono_s: u64, unix_s: i64) -> Now {
        Now { mono: Monotonic::from_micros(mono_s * 1_000_000), unix: Timestamp::from_secs(unix_s) }
    }

    #[test]
    fn the_calendar_is_told_first_after_a_jump_and_once_a_minute() {
        let mut own_time = OwnTime::new();
        assert!(own_time.is_news(now(0, 1000)));
        assert!(!own_time.is_news(now(1, 1001)), "it goes on by itself");
        assert!(own_time.is_news(now(1, 4601)), "an hour later at once");
        assert!(!own_time.is_news(now(60, 4660)));
        assert!(own_time.is_news(now(61, 4661)));
    }
}
