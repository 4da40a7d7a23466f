//! IoT Hub's operation throttles as token buckets, one for each kind of operation, by the published figures of an S1
//! unit. A burst is taken at once, then requests queue, then the hub refuses.
//!
//! The queue is counted and never delays: whoever would wait in it is served at once, so that the time at which the
//! hub received something stays the time at which it came. Only who finds the queue full is refused.

use std::time::Duration;

use hilarm_model::Monotonic;

use crate::config::Throttling;

/// A direct method uses up one meter for each of these.
const METER_BYTES: usize = 4 * 1024;

/// A kind of operation with a throttle of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Throttled {
    /// Creating, reading, changing and deleting identities: 100 a minute and unit.
    Registry,
    /// New connections: 12 a second and unit, at least 100.
    Connection,
    /// Device-to-cloud sends: 12 a second and unit, at least 100.
    Telemetry,
    /// Cloud-to-device sends: 100 a minute and unit.
    CloudToDeviceSend,
    /// Cloud-to-device receives over HTTPS: 1,000 a minute and unit.
    CloudToDeviceReceive,
    /// Beginnings of file uploads: 100 a minute and unit.
    FileUpload,
    /// Direct methods: 160 KiB a second and unit.
    Method,
    /// Twin reads: 100 a second.
    TwinRead,
    /// Twin updates: 50 a second.
    TwinUpdate,
}

impl Throttled {
    const COUNT: usize = Self::TwinUpdate as usize + 1;

    /// What a refusal calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Registry => "identity registry operations",
            Self::Connection => "new device connections",
            Self::Telemetry => "device-to-cloud sends",
            Self::CloudToDeviceSend => "cloud-to-device sends",
            Self::CloudToDeviceReceive => "cloud-to-device receives",
            Self::FileUpload => "file uploads",
            Self::Method => "direct methods",
            Self::TwinRead => "twin reads",
            Self::TwinUpdate => "twin updates",
        }
    }

    /// The time between two of them at a hub's rate.
    fn interval(self, units: u32) -> Duration {
        let units = u64::from(units.max(1));
        Duration::from_micros(match self {
            Self::Registry | Self::CloudToDeviceSend | Self::FileUpload => 600_000 / units,
            Self::Connection | Self::Telemetry => 1_000_000 / (12 * units).max(100),
            Self::CloudToDeviceReceive => 60_000 / units,
            Self::Method => 25_000 / units,
            Self::TwinRead => 10_000,
            Self::TwinUpdate => 20_000,
        })
    }

    /// How many of its intervals one operation with so large a payload takes.
    fn meters(self, bytes: usize) -> u32 {
        let metered = if self == Self::Method { bytes } else { 0 };
        u32::try_from(metered.div_ceil(METER_BYTES)).unwrap_or(u32::MAX).max(1)
    }
}

/// The throttles of a hub: of each kind the instant up to which its rate is used up.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    used_up_to: [Monotonic; Throttled::COUNT],
}

impl Throttles {
    /// Takes an operation in; false when its queue is full. What is refused uses nothing up.
    pub(crate) fn admit(
        &mut self,
        limits: Throttling,
        kind: Throttled,
        bytes: usize,
        now: Monotonic,
    ) -> bool {
        let Some(used_up_to) = self.used_up_to.get_mut(kind as usize) else { return true };
        let cost = kind.interval(limits.units).saturating_mul(kind.meters(bytes));
        let after = (*used_up_to).max(now) + cost;
        // A hub that allows for no burst at all still takes one operation.
        let admitted = after.since(now) <= (limits.burst + limits.queue).max(cost);
        if admitted {
            *used_up_to = after;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic::from_micros(milliseconds * 1000)
    }

    /// How many operations are taken at one instant.
    fn taken(
        throttles: &mut Throttles,
        limits: Throttling,
        kind: Throttled,
        bytes: usize,
        now: u64,
    ) -> usize {
        (0..100_000).take_while(|_| throttles.admit(limits, kind, bytes, at(now))).count()
    }

    #[test]
    fn a_burst_of_a_minute_and_a_queue_of_a_minute_are_taken_and_then_the_rate() {
        let (mut throttles, limits) = (Throttles::default(), Throttling::s1(1));
        assert_eq!(taken(&mut throttles, limits, Throttled::Registry, 0, 0), 200);
        assert_eq!(taken(&mut throttles, limits, Throttled::Registry, 0, 599), 0);
        assert_eq!(taken(&mut throttles, limits, Throttled::Registry, 0, 600), 1);
        assert_eq!(taken(&mut throttles, limits, Throttled::Registry, 0, 300_000), 200, "rest fills it up");
        assert_eq!(taken(&mut throttles, limits, Throttled::TwinUpdate, 0, 0), 6000, "each kind has its own");
    }

    #[test]
    fn units_raise_the_rate_where_the_published_figures_say_so() {
        let taken = |kind, units| taken(&mut Throttles::default(), Throttling::s1(units), kind, 0, 0);
        assert_eq!(
            (taken(Throttled::CloudToDeviceSend, 1), taken(Throttled::CloudToDeviceSend, 2)),
            (200, 400)
        );
        assert_eq!((taken(Throttled::Telemetry, 1), taken(Throttled::Telemetry, 2)), (12_000, 12_000));
        assert_eq!(taken(Throttled::Telemetry, 10), 14_400, "12 a second and unit");
    }

    #[test]
    fn a_direct_method_uses_up_one_meter_for_each_four_kibibytes() {
        let taken = |bytes| taken(&mut Throttles::default(), Throttling::s1(1), Throttled::Method, bytes, 0);
        assert_eq!((taken(0), taken(4096), taken(4097)), (4800, 4800, 2400));
    }

    #[test]
    fn without_burst_and_queue_one_operation_an_interval_is_taken() {
        let none = Throttling { units: 1, burst: Duration::ZERO, queue: Duration::ZERO };
        let mut throttles = Throttles::default();
        let taken = |throttles: &mut Throttles, now| taken(throttles, none, Throttled::Connection, 0, now);
        assert_eq!(
            (taken(&mut throttles, 0), taken(&mut throttles, 9), taken(&mut throttles, 10)),
            (1, 0, 1)
        );
    }
}
