//! Messages both ways, twins, methods, and sessions that outlive connections.

use std::time::Duration;

use hilarm_model::{CloseReason, HubEvent, Operation, Protocol, TwinSection};
use serde_json::{Value, json};

use super::world::{Login, World, device, login};
use crate::mqtt::codec::{Packet, PacketId, Publish, QoS, Subscribe, Unsubscribe};
use crate::security_message::schema_tests::heartbeat;
use crate::{MethodResult, Output, ServiceReply, ServiceRequest};

const DEVICE_BOUND: &str = "devices/pump-1/messages/devicebound/#";

fn telemetry(duplicate: bool) -> HubEvent {
    let device = device("pump-1");
    HubEvent::TelemetryReceived {
        device,
        module: None,
        protocol: Protocol::Mqtt,
        payload_bytes: 4,
        duplicate,
    }
}

#[test]
fn telemetry_is_acknowledged_recorded_and_its_retransmission_marked() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    for (duplicate, retain) in [(false, false), (true, true)] {
        let topic = "devices/pump-1/messages/events/a=b/";
        let publish = Publish { duplicate, retain, topic, id: PacketId::new(7), payload: b"21.5" };
        world.packet(connection, &Packet::Publish(publish));
    }
    assert_eq!(world.sent(connection), [[0x40, 2, 0, 7], [0x40, 2, 0, 7]]);
    assert_eq!(world.facts(), [telemetry(false), telemetry(true)]);
}

#[test]
fn a_security_message_is_decoded_and_a_broken_one_recorded_both_acknowledged() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let topic =
        "devices/pump-1/messages/events/mti=2.3-1-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";
    world.publish(connection, topic, &heartbeat());
    world.publish(connection, topic, b"noise");
    assert_eq!(world.sent(connection).len(), 2);
    let facts = world.facts();
    let [HubEvent::SecurityMessageReceived { agent, events, .. }, HubEvent::SecurityMessageRejected { .. }] =
        &facts[..]
    else {
        panic!("{facts:?}")
    };
    assert_eq!((agent.id.as_str(), agent.version.as_str(), events.len()), ("agent", "3.5.4", 1));
}

#[test]
fn a_publish_to_a_foreign_topic_is_refused_unacknowledged_and_closes() {
    for topic in ["devices/pump-2/messages/events/", "telemetry", "$iothub/unknown"] {
        let mut world = World::new();
        let connection = world.online("pump-1");
        world.publish(connection, topic, b"1");
        assert_eq!(world.outputs(), [Output::Close { connection }], "{topic}");
        let operation = Operation::Publish { topic: topic.into() };
        let refused = HubEvent::OperationRefused { device: device("pump-1"), operation };
        let (device, reason) = (Some(device("pump-1")), CloseReason::ProtocolViolated);
        let closed = HubEvent::ConnectionClosed { connection, device, reason };
        assert_eq!(world.facts(), [refused, closed], "{topic}");
    }
}

#[test]
fn each_filter_is_granted_or_refused_for_itself() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let foreign = "devices/pump-2/messages/devicebound/#";
    let filters = vec![
        ("devices/+/messages/devicebound/#", QoS::ExactlyOnce),
        (foreign, QoS::AtLeastOnce),
        ("$iothub/methods/POST/#", QoS::AtMostOnce),
    ];
    world.packet(connection, &Packet::Subscribe(Subscribe { id: PacketId::new(9).unwrap(), filters }));
    assert_eq!(world.sent(connection), [[0x90, 5, 0, 9, 1, 0x80, 0]]);
    let operation = Operation::Subscribe { filter: foreign.into() };
    assert_eq!(world.facts(), [HubEvent::OperationRefused { device: device("pump-1"), operation }]);
}

#[test]
fn a_message_to_the_device_is_sent_with_its_bag_and_completed_by_puback() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    world.sent(connection);
    world.send_to("pump-1", "m-1");
    let topic = "devices/pump-1/messages/devicebound/%24.mid=m-1&%24.to=%2Fdevices%2Fpump-1%2Fmessages%2Fdevicebound&a%20b=1%2F2";
    assert_eq!(world.published(connection), [(0x32, topic.into(), b"\0\x01stop".to_vec())]);
    world.packet(connection, &Packet::PubAck(PacketId::new(1).unwrap()));
    world.packet(connection, &Packet::PubAck(PacketId::new(1).unwrap()));
    let (device, message_id) = (device("pump-1"), String::from("m-1"));
    let facts = world.facts();
    assert_eq!(facts.len(), 3, "{facts:?}");
    assert_eq!(facts[2], HubEvent::CloudToDeviceCompleted { device, message_id });
}

#[test]
fn a_subscription_of_quality_zero_completes_on_sending() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.send_to("pump-1", "m-1");
    assert_eq!(world.outputs(), []);
    world.subscribe(connection, DEVICE_BOUND, QoS::AtMostOnce);
    assert_eq!(world.published(connection)[0].0, 0x30);
    assert!(matches!(world.facts().last(), Some(HubEvent::CloudToDeviceCompleted { .. })));
}

#[test]
fn a_persistent_session_keeps_subscriptions_and_redelivers_with_dup_and_the_same_identifier() {
    let mut world = World::new();
    let persistent = || Login { clean: false, ..login("pump-1") };
    let connection = world.log_in(&persistent());
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    world.send_to("pump-1", "m-1");
    world.outputs();
    world.hub.handle_input(crate::Input::Closed { connection }, world.now);
    world.send_to("pump-1", "m-2");
    world.facts();

    let connection = world.log_in(&persistent());
    let published = world.published(connection);
    let heads: Vec<_> = published.iter().map(|(head, _, rest)| (*head, rest[1])).collect();
    assert_eq!(heads, [(0x3A, 1), (0x32, 2)]);
    let facts = world.facts();
    assert!(matches!(facts[0], HubEvent::ConnectionAccepted { session_present: true, .. }), "{facts:?}");
}

#[test]
fn a_clean_session_forgets_and_its_messages_come_as_new() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    world.send_to("pump-1", "m-1");
    world.outputs();
    let connection = world.log_in(&Login { clean: false, ..login("pump-1") });
    assert_eq!(world.outputs().len(), 2, "the older closes, CONNACK, no message yet");
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    assert_eq!(world.published(connection)[0].0, 0x32);
}

#[test]
fn a_message_without_puback_is_sent_again_when_its_lock_runs_out() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    world.send_to("pump-1", "m-1");
    world.outputs();
    world.pass(Duration::from_secs(59));
    assert_eq!(world.outputs(), []);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.published(connection)[0].0, 0x3A);
}

#[test]
fn the_twin_is_read_and_patched_over_its_topics() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, "$iothub/twin/res/#", QoS::AtMostOnce);
    world.sent(connection);
    world.publish(connection, "$iothub/twin/PATCH/properties/reported/?$rid=1", b"{\"rate\":5}");
    world.publish(connection, "$iothub/twin/PATCH/properties/reported/?$rid=2", b"[]");
    world.publish(connection, "$iothub/twin/GET/?$rid=3", b" ");
    let published = world.published(connection);
    let topics: Vec<_> = published.iter().map(|(_, topic, _)| topic.as_str()).collect();
    let expected = [
        "$iothub/twin/res/204/?$rid=1&$version=2",
        "$iothub/twin/res/400/?$rid=2",
        "$iothub/twin/res/200/?$rid=3",
    ];
    assert_eq!(topics, expected);
    let twin: Value = serde_json::from_slice(&published[2].2).unwrap();
    assert_eq!(twin, json!({"desired": {"$version": 1}, "reported": {"rate": 5, "$version": 2}}));
    let (module, section) = (None, TwinSection::Reported);
    let updated = HubEvent::TwinUpdated { device: device("pump-1"), module: None, section, version: 2 };
    let refused = twin_refused("$iothub/twin/PATCH/properties/reported/?$rid=2");
    assert_eq!(world.facts(), [updated, refused, HubEvent::TwinRead { device: device("pump-1"), module }]);
}

fn twin_refused(topic: &str) -> HubEvent {
    let operation = Operation::Publish { topic: topic.into() };
    HubEvent::RequestRefused { device: device("pump-1"), module: None, operation, code: 400_004 }
}

#[test]
fn reported_properties_too_deep_are_answered_with_400_and_recorded() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, "$iothub/twin/res/#", QoS::AtMostOnce);
    world.sent(connection);
    let deep = (0..11).fold(json!(1), |inner, _| json!({ "k": inner })).to_string();
    let topic = "$iothub/twin/PATCH/properties/reported/?$rid=7";
    world.publish(connection, topic, deep.as_bytes());
    let published = world.published(connection);
    let body: Value = serde_json::from_slice(&published[0].2).unwrap();
    assert_eq!(
        (published[0].1.as_str(), &body["errorCode"]),
        ("$iothub/twin/res/400/?$rid=7", &json!(400_004))
    );
    assert_eq!(world.facts(), [twin_refused(topic)]);
}

#[test]
fn desired_properties_are_pushed_as_a_delta_with_their_version() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, "$iothub/twin/PATCH/properties/desired/#", QoS::AtMostOnce);
    world.sent(connection);
    let patch = json!({"rate": 5, "old": null});
    world.serve(ServiceRequest::PatchDesired { device: device("pump-1"), module: None, patch });
    let published = world.published(connection);
    assert_eq!(published[0].1, "$iothub/twin/PATCH/properties/desired/?$version=2");
    let delta: Value = serde_json::from_slice(&published[0].2).unwrap();
    assert_eq!(delta, json!({"rate": 5, "old": null, "$version": 2}));
}

#[test]
fn a_method_travels_out_and_its_answer_back() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, "$iothub/methods/POST/#", QoS::AtMostOnce);
    world.sent(connection);
    let reply = world.serve(ServiceRequest::InvokeMethod {
        device: device("pump-1"),
        module: None,
        name: "stop".into(),
        payload: json!({"now": true}),
        timeout: Duration::from_secs(30),
    });
    let ServiceReply::MethodInvoked(ticket) = reply else { panic!("{reply:?}") };
    let published = world.published(connection);
    let rid = published[0].1.strip_prefix("$iothub/methods/POST/stop/?$rid=").unwrap();
    assert_eq!(published[0].2, b"{\"now\":true}");
    world.publish(connection, &format!("$iothub/methods/res/200/?$rid={rid}"), b"{\"ok\":1}");
    let result = MethodResult::Answered { status: 200, payload: json!({"ok": 1}) };
    assert_eq!(world.hub.poll_service(), Some((ticket, result)));
}

#[test]
fn after_unsubscribing_nothing_is_sent() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.subscribe(connection, DEVICE_BOUND, QoS::AtLeastOnce);
    let id = PacketId::new(10).unwrap();
    world.packet(connection, &Packet::Unsubscribe(Unsubscribe { id, filters: vec![DEVICE_BOUND] }));
    assert_eq!(world.sent(connection)[1], [0xB0, 2, 0, 10]);
    world.send_to("pump-1", "m-1");
    assert_eq!(world.outputs(), []);
}
