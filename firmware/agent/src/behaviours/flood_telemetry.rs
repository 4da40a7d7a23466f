//! The device sends far more telemetry than it should.

use alloc::boxed::Box;

use hilarm_link::CommandError;

use super::args::Args;
use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::Now;
use crate::telemetry::BurstId;

const DEFAULT_INTERVAL_MS: u32 = 50;
const DEFAULT_PAYLOAD_BYTES: u16 = 32;

/// What a burst of telemetry takes, whatever carries it.
pub(super) static PARAMS: [Param; 3] = [
    Param {
        name: "count",
        kind: ParamKind::Int { min: 1, max: 1_000_000 },
        required: true,
        summary: "How many messages.",
    },
    Param {
        name: "interval_ms",
        kind: ParamKind::Int { min: 0, max: 3_600_000 },
        required: false,
        summary: "Pause between two messages; 50 by default.",
    },
    Param {
        name: "payload_bytes",
        kind: ParamKind::Int { min: 0, max: 65_535 },
        required: false,
        summary: "Length of each payload; 32 by default.",
    },
];

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "flood-telemetry",
    summary: "Sends a burst of telemetry.",
    attack: &["T1499"],
    params: &PARAMS,
    start: |device, args, now| {
        let (count, interval_ms, payload_bytes) = burst(args)?;
        let burst = device.telemetry.begin(count, interval_ms, payload_bytes, now.mono_us);
        Ok(Box::new(Flood { burst }))
    },
};

/// Count, interval in milliseconds and payload in bytes.
pub(super) fn burst(args: &Args<'_>) -> Result<(u32, u32, u16), CommandError> {
    Ok((
        args.int("count", 0)?,
        args.int("interval_ms", DEFAULT_INTERVAL_MS)?,
        args.int("payload_bytes", DEFAULT_PAYLOAD_BYTES)?,
    ))
}

struct Flood {
    burst: BurstId,
}

impl Running for Flood {
    fn progress(&mut self, device: &Device) -> Progress {
        if device.telemetry.is_finished(self.burst) { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.telemetry.cancel(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use hilarm_link::{DeviceEvent, Value};

    use crate::testing::World;

    fn int(name: &str, value: i64) -> (String, Value) {
        (name.to_string(), Value::Int(value))
    }

    fn finished() -> DeviceEvent {
        DeviceEvent::BehaviourFinished { name: "flood-telemetry".to_string() }
    }

    #[test]
    fn it_sends_the_count_at_its_interval_and_finishes_with_the_last_puback() {
        let mut world = World::connected();
        world.run_behaviour("flood-telemetry", &[int("count", 40)]).unwrap();
        let start_us = world.now().mono_us;
        world.run_for_s(10);
        assert_eq!(world.telemetry().len(), 40);
        assert!(world.telemetry().iter().all(|publish| publish.payload.len() == 32));
        let finished_us = world.time_of(&finished()).unwrap();
        assert_eq!(finished_us - start_us, 39 * 50_000);
    }

    #[test]
    fn without_a_pause_all_of_it_arrives_and_nothing_is_dropped() {
        let mut world = World::connected();
        world.run_behaviour("flood-telemetry", &[int("count", 1000), int("interval_ms", 0)]).unwrap();
        world.run_for_s(1);
        assert_eq!(world.telemetry().len(), 1000);
        assert!(world.time_of(&finished()).is_some());
    }

    #[test]
    fn stopping_it_ends_the_burst() {
        let mut world = World::connected();
        world.run_behaviour("flood-telemetry", &[int("count", 100), int("interval_ms", 1000)]).unwrap();
        world.run_for_s(3);
        let sent = world.telemetry().len();
        world.stop_behaviour("flood-telemetry").unwrap();
        world.run_for_s(10);
        assert_eq!(world.telemetry().len(), sent);
    }
}
