//! The only clock of a run. Monotonic time moves forward with the world; the calendars of the hub and of
//! the devices move with it, and may jump.

use std::time::Duration;

use hilarm_model::{Monotonic, Now, Timestamp};

/// Both clocks of the world, under virtual time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    mono: Monotonic,
    hub: Timestamp,
    devices: Timestamp,
}

impl Clock {
    pub(crate) fn new(t0: Timestamp) -> Self {
        Self { mono: Monotonic::default(), hub: t0, devices: t0 }
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
