//! The device sends packets that MQTT 3.1.1 forbids, or that IoT Hub does not speak: a client with a bug, or
//! somebody who looks for one in the server.

use alloc::boxed::Box;
use alloc::string::ToString;

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::Now;

const DEFAULT_INTERVAL_MS: u32 = 5000;

/// What can be wrong with a packet, and the packet. Each breaks one rule and keeps the others.
pub(crate) static PACKETS: [(&str, &[u8]); 11] = [
    // Type 15 is reserved in MQTT 3.1.1.
    ("packet-type", &[0xF0, 0x00]),
    ("qos-3", &[0x36, 0x05, 0x00, 0x01, b'a', 0x00, 0x01]),
    // Legal in MQTT; IoT Hub does not speak it.
    ("qos-2", &[0x34, 0x05, 0x00, 0x01, b'a', 0x00, 0x01]),
    ("remaining-length", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF]),
    // Announces 262,145 bytes, one more than IoT Hub takes.
    ("too-large", &[0x30, 0x81, 0x80, 0x10]),
    ("cut-off-topic", &[0x30, 0x03, 0x00, 0x09, b'a']),
    ("not-utf-8", &[0x30, 0x03, 0x00, 0x01, 0xFF]),
    ("wildcard-topic", &[0x30, 0x03, 0x00, 0x01, b'#']),
    ("packet-id-zero", &[0x32, 0x05, 0x00, 0x01, b'a', 0x00, 0x00]),
    ("no-topic-filter", &[0x82, 0x02, 0x00, 0x01]),
    ("second-connect", &[0x10, 0x0C, 0x00, 0x04, b'M', b'Q', b'T', b'T', 0x04, 0x02, 0x00, 0x3C, 0x00, 0x00]),
];

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "send-malformed-packets",
    summary: "Sends MQTT packets that break a rule of the protocol, which a hub answers by hanging up.",
    attack: &["T1499.004"],
    params: &[
        Param {
            name: "packet",
            kind: ParamKind::Text,
            required: false,
            summary: "What is wrong with each, e.g. `qos-3`; every fault in turn by default.",
        },
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 100_000 },
            required: false,
            summary: "How many packets; one for each fault by default.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two; 5000 by default, which leaves time to connect again.",
        },
    ],
    start: |device, args, now| {
        let only = args.text("packet").map(find).transpose()?;
        let mut fuzzer = Fuzzer {
            only,
            sent: 0,
            count: args.int("count", PACKETS.len() as u32)?,
            interval_us: u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000,
            next_us: now.mono_us,
        };
        fuzzer.handle_timeout(device, now);
        Ok(Box::new(fuzzer))
    },
};

/// The place of a fault in the list.
fn find(name: &str) -> Result<usize, CommandError> {
    PACKETS.iter().position(|(known, _)| *known == name).ok_or_else(|| {
        let known: alloc::vec::Vec<&str> = PACKETS.iter().map(|(name, _)| *name).collect();
        CommandError::Argument { name: "packet".to_string(), expected: known.join(", ") }
    })
}

struct Fuzzer {
    only: Option<usize>,
    sent: u32,
    count: u32,
    interval_us: u64,
    next_us: u64,
}

impl Running for Fuzzer {
    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        while self.sent < self.count && self.next_us <= now.mono_us {
            let at = self.only.unwrap_or(self.sent as usize % PACKETS.len());
            device.send_past_the_client(PACKETS[at].1);
            self.sent += 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        (self.sent < self.count).then_some(self.next_us)
    }

    fn progress(&mut self, device: &Device) -> Progress {
        let all_sent = self.sent == self.count && !device.has_bytes_past_the_client();
        if all_sent { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.forget_bytes_past_the_client();
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use hilarm_link::{Command, CommandError, DeviceEvent, Value};

    use super::PACKETS;
    use crate::testing::{World, int};

    fn packet(name: &str) -> (String, Value) {
        ("packet".to_string(), Value::Text(name.to_string()))
    }

    /// A connected device whose hub takes what is no MQTT.
    fn world() -> World {
        let mut world = World::connected();
        world.malformed = PACKETS.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        world
    }

    #[test]
    fn each_fault_is_sent_once_at_its_pace() {
        let mut world = world();
        world.run_behaviour("send-malformed-packets", &[]).unwrap();
        world.run_for_s(120);
        assert_eq!(world.malformed_packets(), PACKETS.map(|(_, bytes)| bytes));
        let finished = DeviceEvent::BehaviourFinished { name: "send-malformed-packets".to_string() };
        assert_eq!(world.time_of(&finished), Some(50_000_000));
    }

    #[test]
    fn one_fault_is_sent_as_often_as_asked_and_waits_for_a_connection() {
        let mut world = world();
        world.command(Command::Disconnect).unwrap();
        world.run_behaviour("send-malformed-packets", &[packet("qos-3"), int("count", 2)]).unwrap();
        world.run_for_s(60);
        assert!(world.malformed_packets().is_empty());
        world.connect();
        assert_eq!(world.malformed_packets(), [PACKETS[1].1, PACKETS[1].1]);
    }

    #[test]
    fn an_unknown_fault_is_refused_with_the_known_ones() {
        let refused = World::connected().run_behaviour("send-malformed-packets", &[packet("qos-4")]);
        let Err(CommandError::Argument { expected, .. }) = refused else { panic!("{refused:?}") };
        assert!(expected.starts_with("packet-type, qos-3, "), "{expected}");
    }
}
