//! The only clock of a run. Monotonic time moves forward with the world; the calendars of the hub and of
//! the devices move with it, and may jump. It is virtual until a device joins that lives in real time.

use std::time::{Duration, Instant};

use hilarm_model::{Monotonic, Now, Timestamp};

/// Both clocks of the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    mono: Monotonic,
    hub: Timestamp,
    devices: Timestamp,
    /// The instant at which monotonic time was 0; nothing under virtual time.
    began: Option<Instant>,
}

impl Clock {
    pub(crate) fn new(t0: Timestamp) -> Self {
        Self { mono: Monotonic::default(), hub: t0, devices: t0, began: None }
    }

    /// From here on monotonic time passes by itself. What has passed already stays.
    pub(crate) fn go_real(&mut self) {
        if self.began.is_none() {
            self.began = Instant::now().checked_sub(self.mono.since(Monotonic::default()));
        }
    }

    /// How long it is until `mono` in real time; nothing under virtual time, where nobody has to wait.
    pub(crate) fn wait_until(&self, mono: Monotonic) -> Option<Duration> {
        let due = self.began? + mono.since(Monotonic::default());
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Where real time stands; nothing under virtual time.
    pub(crate) fn real(&self) -> Option<Monotonic> {
        Some(Monotonic::default() + self.began?.elapsed())
    }

    pub(crate) fn mono(&self) -> Monotonic {
        self.mono
    }

    /// As the hub and the network see it.
    pub(crate) fn hub(&self) -> Now {
        Now { mono: self.mono, unix: self.hub }
    }

    /// As devices are told.
    pub(crate) fn devices(&self) -> Now {
        Now { mono: self.mono, unix: self.devices }
    }

    /// Lets the world live until `mono`; going back is ignored.
    pub(crate) fn run_to(&mut self, mono: Monotonic) {
        let passed = mono.since(self.mono);
        self.mono += passed;
        self.hub += passed;
        self.devices += passed;
    }

    /// The calendar jumps for the hub, and for devices unless `hub_only`.
    pub(crate) fn jump(&mut self, by: Duration, hub_only: bool) {
        self.hub += by;
        if !hub_only {
            self.devices += by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_waits_for_nobody_and_a_real_one_goes_on_from_where_it_was() {
        let mut clock = Clock::new(Timestamp::from_secs(100));
        clock.run_to(Monotonic::from_micros(3_600_000_000));
        assert_eq!((clock.real(), clock.wait_until(clock.mono())), (None, None));
        clock.go_real();
        assert!(clock.real().is_some_and(|real| real >= clock.mono()));
        let wait = clock.wait_until(clock.mono() + Duration::from_secs(3600)).unwrap();
        assert!(wait <= Duration::from_secs(3600) && wait > Duration::from_secs(3000), "{wait:?}");
    }

    #[test]
    fn a_jump_moves_the_calendar_and_leaves_monotonic_time() {
        let mut clock = Clock::new(Timestamp::from_secs(100));
        clock.run_to(Monotonic::from_micros(5_000_000));
        clock.jump(Duration::from_secs(60), false);
        clock.jump(Duration::from_secs(1), true);
        assert_eq!(clock.mono(), Monotonic::from_micros(5_000_000));
        assert_eq!(clock.hub().unix, Timestamp::from_secs(166));
        assert_eq!(clock.devices().unix, Timestamp::from_secs(165));
    }
}
