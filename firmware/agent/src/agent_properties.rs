//! Any sequence of commands, bytes, jumps and failures: the agent neither panics nor spins.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use hilarm_link::{Command, Value};
use proptest::prelude::*;

use crate::behaviours;
use crate::io::{Input, Socket};
use crate::mqtt::peer;
use crate::testing::{OnOpen, World, sas_config};

/// The shortest interval that the twin can ask for.
const FASTEST: &[u8] = br#"{"ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration":
    {"lowPriorityMessageFrequency":{"value":"PT1S"},"highPriorityMessageFrequency":{"value":"PT1S"}}}"#;

#[derive(Clone, Debug)]
enum Step {
    Command(Command),
    FromHub(Vec<u8>),
    Closed,
    RunFor(u64),
    Advance(i64),
    OnOpen(u8),
    ConnAck(u8),
    Acknowledge(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let behaviour = proptest::sample::select(
        behaviours::all().iter().map(|behaviour| behaviour.name.to_string()).collect::<Vec<_>>(),
    );
    let text = |name: &str, value: &str| (name.to_string(), Value::Text(value.to_string()));
    let args = [
        text("address", "192.0.2.1"),
        text("device", "pump-2"),
        text("executable", "/tmp/miner"),
        text("module", "maintenance"),
        text("user", "backdoor"),
        ("count".to_string(), Value::Int(500)),
    ];
    let pick = move |name: &str| -> Vec<(String, Value)> {
        let params = behaviours::find(name).map_or(&[][..], |behaviour| behaviour.params);
        args.iter().filter(|(arg, _)| params.iter().any(|param| param.name == arg)).cloned().collect()
    };
    let packet = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(peer::connack(false, 0)),
        Just(peer::publish("$iothub/methods/POST/set-interval/?$rid=1", br#"{"interval_ms":0}"#, None)),
        Just(peer::publish("$iothub/twin/PATCH/properties/desired/?$version=2", b"{}", Some(1))),
        Just(peer::publish("$iothub/twin/PATCH/properties/desired/?$version=3", FASTEST, None)),
    ];
    prop_oneof![
        (proptest::option::of(0u16..3), proptest::option::of(0u32..3000))
            .prop_map(|(attempts, gap_ms)| Step::Command(Command::Connect { attempts, gap_ms })),
        Just(Step::Command(Command::Disconnect)),
        (0u32..600, 0u32..200, 0u16..50).prop_map(|(count, interval_ms, payload_bytes)| {
            Step::Command(Command::SendTelemetry { count, interval_ms, payload_bytes })
        }),
        Just(Step::Command(Command::ReadTwin)),
        behaviour.clone().prop_map(move |name| {
            let args = pick(&name);
            Step::Command(Command::RunBehaviour { name, args })
        }),
        behaviour.prop_map(|name| Step::Command(Command::StopBehaviour { name })),
        packet.prop_map(Step::FromHub),
        Just(Step::Closed),
        (0u64..100).prop_map(Step::RunFor),
        (-5000i64..5000).prop_map(Step::Advance),
        (0u8..3).prop_map(Step::OnOpen),
        prop_oneof![Just(0u8), Just(5)].prop_map(Step::ConnAck),
        any::<bool>().prop_map(Step::Acknowledge),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The world asserts after every time-out that the next one lies ahead.
    #[test]
    fn no_sequence_of_steps_panics_or_spins(steps in proptest::collection::vec(step(), 0..30)) {
        let mut world = World::new(sas_config());
        world.malformed = behaviours::MALFORMED_PACKETS.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        world.malformed.push(behaviours::OVERSIZED_PACKET.to_vec());
        for step in steps {
            match step {
                Step::Command(command) => drop(world.command(command)),
                Step::FromHub(bytes) => world.hub_sends(bytes),
                Step::Closed => {
                    world.input(Input::Closed { socket: Socket::HUB, reason: "closed by peer".to_string() });
                }
                Step::RunFor(seconds) => world.run_for_s(seconds),
                Step::Advance(seconds) => world.advance_calendar_s(seconds),
                Step::OnOpen(kind) => {
                    world.on_open = [OnOpen::Accept, OnOpen::Refuse, OnOpen::Silence][usize::from(kind)];
                }
                Step::ConnAck(code) => world.connack = code,
                Step::Acknowledge(acknowledge) => world.acknowledge = acknowledge,
            }
        }
        world.timeout();
    }
}
