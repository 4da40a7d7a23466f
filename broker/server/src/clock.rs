//! The one clock of the cloud side on sockets: real time, monotonic from the start of the server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hilarm_model::{Monotonic, Now, Timestamp};

/// Reads both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Monotonic time begins now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks at this instant.
    pub(crate) fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Now { mono: Monotonic::from_micros(mono), unix: calendar() }
    }

    /// When monotonic time reaches `at`; `None` beyond what the system's clock can say.
    pub(crate) fn instant(&self, at: Monotonic) -> Option<Instant> {
        self.start.checked_add(Duration::from_micros(at.as_micros()))
    }
}

fn calendar() -> Timestamp {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_begins_at_zero_and_maps_back() {
        let clock = Clock::start();
        let now = clock.now();
        assert!(now.mono < Monotonic::from_micros(60_000_000));
        assert!(now.unix > Timestamp::from_secs(1_767_225_600));
        assert!(clock.instant(now.mono).is_some_and(|at| at <= Instant::now()));
    }
}
