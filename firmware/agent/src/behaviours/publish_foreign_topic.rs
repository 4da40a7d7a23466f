//! The device publishes in another device's name.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::Now;

const DEFAULT_COUNT: u32 = 1;
const DEFAULT_INTERVAL_MS: u32 = 5000;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "publish-foreign-topic",
    summary: "Publishes telemetry to the topic of another device, which a hub answers by hanging up.",
    attack: &["T1110", "T1565.001"],
    params: &[
        Param { name: "device", kind: ParamKind::Text, required: true, summary: "Id of the other device." },
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 100_000 },
            required: false,
            summary: "How many messages; 1 by default.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two; 5000 by default, which leaves time to connect again.",
        },
    ],
    start: |device, args, now| {
        let other = args.text("device").unwrap_or_default().to_string();
        let speakable = other.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#/".contains(&byte));
        if other.is_empty() || !speakable {
            let (name, expected) = ("device".to_string(), "a device id".to_string());
            return Err(CommandError::Argument { name, expected });
        }
        let mut impostor = Impostor {
            other,
            left: args.int("count", DEFAULT_COUNT)?,
            interval_us: u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000,
            next_us: now.mono_us,
        };
        impostor.handle_timeout(device, now);
        Ok(Box::new(impostor))
    },
};

struct Impostor {
    other: String,
    left: u32,
    interval_us: u64,
    next_us: u64,
}

impl Running for Impostor {
    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        while self.left > 0 && self.next_us <= now.mono_us {
            self.left -= 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
            device.speak_as(&self.other);
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        (self.left > 0).then_some(self.next_us)
    }

    fn progress(&mut self, device: &Device) -> Progress {
        let all_sent = self.left == 0 && !device.speaks_as_others();
        if all_sent { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.fall_silent();
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use hilarm_link::{Command, CommandError, DeviceEvent, Value};

    use crate::hub::topics;
    use crate::testing::{World, int};

    fn other(id: &str) -> (String, Value) {
        ("device".to_string(), Value::Text(id.to_string()))
    }

    #[test]
    fn it_publishes_to_the_other_device_s_topic_at_its_pace_and_never_sends_it_twice() {
        let mut world = World::connected();
        world.run_behaviour("publish-foreign-topic", &[other("pump-2"), int("count", 3)]).unwrap();
        world.run_for_s(60);
        let published = world.published(&topics::telemetry("pump-2"));
        assert_eq!(published.len(), 3);
        assert!(published.iter().all(|publish| publish.id.is_none()));
        assert_eq!(world.telemetry().len(), 0);
        let finished = DeviceEvent::BehaviourFinished { name: "publish-foreign-topic".to_string() };
        assert_eq!(world.time_of(&finished), Some(10_000_000));
    }

    #[test]
    fn without_a_connection_it_waits_for_one() {
        let mut world = World::connected();
        world.command(Command::Disconnect).unwrap();
        world.run_behaviour("publish-foreign-topic", &[other("pump-2")]).unwrap();
        world.run_for_s(60);
        assert_eq!(world.published(&topics::telemetry("pump-2")).len(), 0);
        world.connect();
        assert_eq!(world.published(&topics::telemetry("pump-2")).len(), 1);
    }

    #[test]
    fn what_is_no_device_id_is_refused() {
        let mut world = World::connected();
        for id in ["", "a/b", "#", "a b"] {
            let refused = world.run_behaviour("publish-foreign-topic", &[other(id)]);
            assert!(matches!(refused, Err(CommandError::Argument { .. })), "{id}");
        }
    }
}
