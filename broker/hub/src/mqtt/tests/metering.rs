//! What a client meets that asks for more than the hub's throttles or its quota of the day let through.

use std::time::Duration;

use hilarm_model::{CloseReason, ConnectionRefused, HubEvent, RefusalCause};

use super::world::{Login, World, device, login};
use crate::mqtt::codec::{Packet, PacketId, QoS, Subscribe, Will};
use crate::{HubConfig, Output, ServiceRequest, Throttling};

const EVENTS: &str = "devices/pump-1/messages/events/";
const ONE_AN_INTERVAL: Throttling = Throttling { units: 1, burst: Duration::ZERO, queue: Duration::ZERO };

fn throttled() -> World {
    World::with(HubConfig { throttling: Some(ONE_AN_INTERVAL), ..HubConfig::default() })
}

/// Codes of the refused requests, and how the connection ended if it did.
fn refusals(world: &mut World) -> (Vec<u32>, Option<CloseReason>) {
    let (mut codes, mut end) = (Vec::new(), None);
    for fact in world.facts() {
        match fact {
            HubEvent::RequestRefused { code, .. } => codes.push(code),
            HubEvent::ConnectionClosed { reason, .. } => end = Some(reason),
            _ => {}
        }
    }
    (codes, end)
}

#[test]
fn telemetry_above_the_throttle_stays_unacknowledged_and_ends_the_connection() {
    let mut world = throttled();
    let connection = world.online("pump-1");
    world.publish(connection, EVENTS, b"1");
    assert_eq!(world.sent(connection).len(), 1, "PUBACK");
    world.publish(connection, EVENTS, b"2");
    assert_eq!(world.outputs(), [Output::Close { connection }], "no PUBACK");
    assert_eq!(refusals(&mut world), (vec![429_001], Some(CloseReason::Throttled)));
}

#[test]
fn telemetry_above_the_quota_of_the_day_ends_the_connection_too() {
    let mut world = World::with(HubConfig { daily_messages_max: Some(1), ..HubConfig::default() });
    let connection = world.online("pump-1");
    world.publish(connection, EVENTS, b"1");
    world.sent(connection);
    world.publish(connection, EVENTS, b"2");
    assert_eq!(world.outputs(), [Output::Close { connection }]);
    assert_eq!(refusals(&mut world), (vec![403_002], Some(CloseReason::QuotaExceeded)));
}

#[test]
fn twin_requests_above_their_throttle_are_answered_with_it_and_the_connection_stays() {
    let mut world = throttled();
    let connection = world.online("pump-1");
    let filters = vec![("$iothub/twin/res/#", QoS::AtMostOnce)];
    world.packet(connection, &Packet::Subscribe(Subscribe { id: PacketId::new(1).unwrap(), filters }));
    world.sent(connection);
    let topics = ["$iothub/twin/GET/?$rid=1", "$iothub/twin/PATCH/properties/reported/?$rid=2"];
    for topic in topics.iter().chain(&topics) {
        world.publish(connection, topic, b"{}");
    }
    let sent = world.sent(connection).concat();
    let text = String::from_utf8_lossy(&sent);
    for answer in ["res/200/?$rid=1", "res/204/?$rid=2", "res/429/?$rid=1", "res/429/?$rid=2"] {
        assert!(text.contains(answer), "{answer} in {text}");
    }
    assert!(text.contains(r#""errorCode":429001"#), "{text}");
    assert_eq!(refusals(&mut world), (vec![429_001, 429_001], None));
}

#[test]
fn a_connection_above_the_throttle_hears_that_the_hub_is_unavailable() {
    let mut world = throttled();
    world.online("pump-1");
    let connection = world.log_in(&login("pump-2"));
    let connack = Output::Send { connection, bytes: vec![0x20, 2, 0, 3] };
    assert_eq!(world.outputs(), [connack, Output::Close { connection }]);
    let facts = world.facts();
    let [HubEvent::ConnectionRefused(ConnectionRefused { causes, .. }), _] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(causes, &[RefusalCause::Throttled]);
}

#[test]
fn a_will_goes_past_neither_the_quota_nor_the_throttle() {
    let quota = HubConfig { daily_messages_max: Some(1), ..HubConfig::default() };
    let throttle = HubConfig { throttling: Some(ONE_AN_INTERVAL), ..HubConfig::default() };
    for (config, code, reason) in
        [(quota, 403_002, CloseReason::QuotaExceeded), (throttle, 429_001, CloseReason::Throttled)]
    {
        let mut world = World::with(config);
        let will = Will { topic: EVENTS, payload: b"gone", qos: QoS::AtLeastOnce, retain: false };
        let connection = world.log_in(&Login { will: Some(will), ..login("pump-1") });
        world.publish(connection, EVENTS, b"1");
        let taken = world.facts();
        assert!(taken.iter().any(|fact| matches!(fact, HubEvent::TelemetryReceived { .. })), "{taken:?}");
        world.publish(connection, EVENTS, b"2");
        assert_eq!(refusals(&mut world), (vec![code, code], Some(reason)), "the message and the will");
    }
}

#[test]
fn a_device_does_not_read_a_twin_larger_than_what_the_day_has_left() {
    let mut world = World::with(HubConfig { daily_messages_max: Some(3), ..HubConfig::default() });
    let connection = world.online("pump-1");
    world.subscribe(connection, "$iothub/twin/res/#", QoS::AtMostOnce);
    let patch = serde_json::json!({ "a": "x".repeat(4096) });
    world.serve(ServiceRequest::PatchDesired { device: device("pump-1"), module: None, patch });
    world.sent(connection);
    world.publish(connection, "$iothub/twin/GET/?$rid=1", b"{}");
    let sent = world.sent(connection).concat();
    let text = String::from_utf8_lossy(&sent);
    assert!(text.contains("res/403/?$rid=1") && text.contains(r#""errorCode":403002"#), "{text}");
    assert_eq!(refusals(&mut world), (vec![403_002], None));
}
