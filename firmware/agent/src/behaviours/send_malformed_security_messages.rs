//! The device sends security messages that no decoder takes, or that are none: an agent with a bug, or somebody who
//! looks for one in the service. Each is made by hand here and breaks one rule; what a sound one would say, nobody
//! ever hears.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::flatbuffers::Builder;
use crate::hub::topics::{FLATBUFFERS, JSON};
use crate::io::Now;

const DEFAULT_INTERVAL_MS: u32 = 5000;

/// Properties of a security message that does not state its encoding, of a content type that is none of theirs.
const NO_ENCODING: &str =
    "$.ct=application%2Foctet-stream&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";
/// Properties of a message of an agent that does not exist: to the service it is telemetry.
const OTHER_INTERFACE: &str = "mti=1.0-0-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A2";

/// A Heartbeat in FlatBuffers schema 2.3, each vtable behind its table.
static HEARTBEAT: [u8; 106] = [
    4, 0, 0, 0, // the root is at 4: id at 64, version, events at 20; vtable at 76
    0xB8, 0xFF, 0xFF, 0xFF, 56, 0, 0, 0, 4, 0, 5, 3, 4, 0, 0, 0, //
    1, 0, 0, 0, 4, 0, 0, 0, // one event, at 28: id, time, payload at 60 and its kind; vtable at 88
    0xC4, 0xFF, 0xFF, 0xFF, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, //
    0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, //
    0xD6, 0xFF, 0xFF, 0xFF, // the Heartbeat; vtable at 102
    5, 0, 0, 0, b'a', b'g', b'e', b'n', b't', 0, 0, 0, //
    12, 0, 16, 0, 4, 0, 8, 0, 0, 0, 12, 0, //
    14, 0, 32, 0, 4, 0, 20, 0, 0, 0, 28, 0, 24, 0, //
    4, 0, 4, 0,
];

/// A Login in JSON schema 1.0, up to its one item, the item, and the end.
const LOGIN: [&str; 3] = [
    concat!(
        r#"{"AgentVersion":"1.0","AgentId":"0f0e0d0c-0b0a-4908-8706-050403020100","MessageSchemaVersion":"1.0","#,
        r#""Events":[{"Id":"00010203-0405-4607-8809-0a0b0c0d0e0f","TimestampLocal":"2026-01-01T00:00:00Z","#,
        r#""TimestampUTC":"2026-01-01T00:00:00Z","Category":"Triggered","Name":"Login","EventType":"Security","#,
        r#""IsEmpty":false,"PayloadSchemaVersion":"1.0","Payload":["#,
    ),
    r#"{"UserName":"root","Result":"Fail","Operation":"Login","Executable":"/bin/login","ProcessId":4}"#,
    "]}]}",
];

/// A packet of 262,145 bytes, one more than IoT Hub takes, as far as the name of its topic.
pub(crate) static OVERSIZED: [u8; 14] =
    [0x32, 0x81, 0x80, 0x10, 0x00, 0x67, b'd', b'e', b'v', b'i', b'c', b'e', b's', b'/'];

/// Name, properties of the topic, body.
type Fault = (&'static str, &'static str, fn() -> Vec<u8>);

/// What can be wrong with a security message, one thing each.
static FAULTS: [Fault; 23] = [
    ("empty", FLATBUFFERS, Vec::new),
    ("cut-off", FLATBUFFERS, || HEARTBEAT[..100].to_vec()),
    ("wild-offset", FLATBUFFERS, || heartbeat_with(19, 0xFF)),
    ("vtable", FLATBUFFERS, || heartbeat_with(76, 13)),
    ("no-module-id", FLATBUFFERS, || heartbeat_with(80, 0)),
    ("no-events", FLATBUFFERS, || heartbeat_with(86, 0)),
    ("not-utf-8", FLATBUFFERS, || heartbeat_with(68, 0xFF)),
    ("payload-kind", FLATBUFFERS, || heartbeat_with(56, 99)),
    ("shared-offsets", FLATBUFFERS, shared_offsets),
    ("json-as-flatbuffers", FLATBUFFERS, login),
    ("not-json", JSON, || b"noise".to_vec()),
    ("cut-off-json", JSON, || LOGIN[0].as_bytes().to_vec()),
    ("not-utf-8-json", JSON, || [LOGIN[0].as_bytes(), b"\"\xFF\"", LOGIN[2].as_bytes()].concat()),
    ("nested-json", JSON, || login_with(LOGIN[1], &"[".repeat(200))),
    ("schema-version", JSON, || login_with(r#"MessageSchemaVersion":"1"#, r#"MessageSchemaVersion":"2"#)),
    ("payload-version", JSON, || login_with(r#"PayloadSchemaVersion":"1"#, r#"PayloadSchemaVersion":"2"#)),
    ("agent-id", JSON, || login_with("0f0e0d0c-", "")),
    ("extra-field", JSON, || login_with("{", r#"{"Extra":1,"#)),
    ("timestamp", JSON, || login_with(r#"UTC":"2026-01-01T00:00:00Z"#, r#"UTC":"now"#)),
    ("login-result", JSON, || login_with("Fail", "Maybe")),
    ("empty-login", JSON, || login_with(LOGIN[1], "")),
    ("no-encoding", NO_ENCODING, || HEARTBEAT.to_vec()),
    ("other-interface", OTHER_INTERFACE, login),
];
/// The fault after those in the table, since it is no whole message.
const TOO_LARGE: &str = "too-large";

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "send-malformed-security-messages",
    summary: "Sends what calls itself a security message and does not decode, is none, or is too long.",
    attack: &["T1499.004", "T1562"],
    params: &[
        Param {
            name: "fault",
            kind: ParamKind::Text,
            required: false,
            summary: "What is wrong with each, e.g. `schema-version`; every fault in turn by default.",
        },
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 100_000 },
            required: false,
            summary: "How many messages; one for each fault by default.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two; 5000 by default.",
        },
    ],
    start: |device, args, now| {
        let only = args.text("fault").map(find).transpose()?;
        let mut fuzzer = Fuzzer {
            only,
            sent: 0,
            count: args.int("count", FAULTS.len() as u32 + 1)?,
            interval_us: u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000,
            next_us: now.mono_us,
        };
        fuzzer.handle_timeout(device, now);
        Ok(Box::new(fuzzer))
    },
};

/// The names of all faults, in order.
fn names() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|(name, ..)| *name).chain([TOO_LARGE])
}

/// The place of a fault.
fn find(name: &str) -> Result<usize, CommandError> {
    names().position(|known| known == name).ok_or_else(|| {
        let expected = names().collect::<Vec<_>>().join(", ");
        CommandError::Argument { name: "fault".to_string(), expected }
    })
}

fn send(device: &mut Device, fault: usize) {
    match FAULTS.get(fault) {
        Some((_, properties, body)) => device.publish_verbatim(properties, body()),
        None => device.send_past_the_client(&OVERSIZED),
    }
}

fn heartbeat_with(place: usize, byte: u8) -> Vec<u8> {
    let mut body = HEARTBEAT.to_vec();
    body[place] = byte;
    body
}

fn login() -> Vec<u8> {
    LOGIN.concat().into_bytes()
}

fn login_with(from: &str, to: &str) -> Vec<u8> {
    LOGIN.concat().replacen(from, to, 1).into_bytes()
}

/// Two hundred times the same event with the same long text: three kilobytes that would be read as four hundred.
fn shared_offsets() -> Vec<u8> {
    let mut builder = Builder::default();
    let text = builder.string(&"a".repeat(2000));
    let system_information = builder.table().reference(0, text).finish();
    let event = builder.table().inline(0, &[1; 16], 1).reference(4, system_information).byte(3, 2).finish();
    let events = builder.vector(&[event; 200]);
    let id = builder.string("agent");
    let message = builder.table().reference(0, id).reference(3, events).finish();
    builder.finish(message)
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
            send(device, self.only.unwrap_or(self.sent as usize % (FAULTS.len() + 1)));
            self.sent += 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        (self.sent < self.count).then_some(self.next_us)
    }

    fn progress(&mut self, device: &Device) -> Progress {
        let waits = device.has_verbatim() || device.has_bytes_past_the_client();
        if self.sent == self.count && !waits { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.forget_verbatim();
        device.forget_bytes_past_the_client();
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::String;

    use hilarm_link::{Command, DeviceEvent, Value};

    use super::*;
    use crate::hub::topics;
    use crate::testing::{World, int};

    fn fault(name: &str) -> (String, Value) {
        ("fault".to_string(), Value::Text(name.to_string()))
    }

    /// A connected device whose hub takes the beginning of a packet.
    fn world() -> World {
        let mut world = World::connected();
        world.malformed = Vec::from([OVERSIZED.to_vec()]);
        world
    }

    #[test]
    fn each_fault_is_sent_once_at_its_pace_and_no_body_is_another_s() {
        let mut world = world();
        world.run_behaviour("send-malformed-security-messages", &[int("interval_ms", 1000)]).unwrap();
        world.run_for_s(25);
        let mut bodies = BTreeSet::new();
        for properties in [FLATBUFFERS, JSON, NO_ENCODING, OTHER_INTERFACE] {
            let wanted = FAULTS.iter().filter(|(_, own, _)| *own == properties);
            let wanted: Vec<Vec<u8>> = wanted.map(|(_, _, body)| body()).collect();
            let published = world.published(&topics::events("pump-1", properties));
            assert_eq!(published.iter().map(|publish| publish.payload.clone()).collect::<Vec<_>>(), wanted);
            bodies.extend(wanted);
        }
        // The login is sent where it is no FlatBuffers, and where it is telemetry.
        assert_eq!(bodies.len(), FAULTS.len() - 1);
        assert_eq!(world.malformed_packets(), [OVERSIZED]);
        let finished = DeviceEvent::BehaviourFinished { name: BEHAVIOUR.name.to_string() };
        assert_eq!(world.time_of(&finished), Some(23_000_000));
    }

    #[test]
    fn one_fault_is_sent_as_often_as_asked_and_waits_for_a_connection() {
        let mut world = world();
        world.command(Command::Disconnect).unwrap();
        let args = [fault("not-json"), int("count", 2)];
        world.run_behaviour("send-malformed-security-messages", &args).unwrap();
        world.run_for_s(20);
        let topic = topics::events("pump-1", JSON);
        assert!(world.published(&topic).is_empty());
        world.connect();
        assert_eq!(world.published(&topic).len(), 2);
    }

    #[test]
    fn stopping_takes_back_what_still_waits() {
        let mut world = world();
        world.command(Command::Disconnect).unwrap();
        world.run_behaviour("send-malformed-security-messages", &[fault("empty")]).unwrap();
        world.stop_behaviour("send-malformed-security-messages").unwrap();
        world.connect();
        assert!(world.published(&topics::events("pump-1", FLATBUFFERS)).is_empty());
    }

    #[test]
    fn an_unknown_fault_is_refused_with_the_known_ones() {
        let refused = world().run_behaviour("send-malformed-security-messages", &[fault("sound")]);
        let Err(CommandError::Argument { expected, .. }) = refused else { panic!("{refused:?}") };
        assert!(expected.starts_with("empty, cut-off, ") && expected.ends_with(", too-large"), "{expected}");
    }

    #[test]
    fn the_bodies_that_are_changed_are_json_and_whole() {
        assert!(serde_json::from_slice::<serde_json::Value>(&login()).is_ok());
        for name in
            ["schema-version", "payload-version", "agent-id", "extra-field", "timestamp", "login-result"]
        {
            let (_, _, body) = &FAULTS[find(name).unwrap()];
            assert_ne!(body(), login(), "{name}");
            assert!(serde_json::from_slice::<serde_json::Value>(&body()).is_ok(), "{name}");
        }
    }
}
