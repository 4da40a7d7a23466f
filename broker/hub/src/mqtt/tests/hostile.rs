//! Peers that break the protocol, and bytes that are cut anywhere.

use hilarm_model::{CloseReason, HubEvent};
use proptest::prelude::*;

use super::world::{World, login};
use crate::Output;
use crate::mqtt::client_packets::encode;
use crate::mqtt::codec::{Packet, PacketId, Publish};

/// The violation that the bytes are recorded as, and the evidence.
fn violation(world: &mut World, bytes: &[u8], on: Option<hilarm_model::ConnectionId>) -> (String, String) {
    let connection = on.unwrap_or_else(|| world.open());
    world.receive(connection, bytes);
    assert_eq!(world.outputs(), [Output::Close { connection }]);
    let facts = world.facts();
    let [HubEvent::ProtocolViolated { violation, bytes_hex, .. }, HubEvent::ConnectionClosed { reason, .. }] =
        &facts[..]
    else {
        panic!("{facts:?}")
    };
    assert_eq!(*reason, CloseReason::ProtocolViolated);
    (violation.clone(), bytes_hex.clone())
}

#[test]
fn a_first_packet_other_than_connect_is_a_violation() {
    let (text, bytes) = violation(&mut World::new(), &[0xC0, 0], None);
    assert_eq!((text.as_str(), bytes.as_str()), ("first packet is not CONNECT", "c000"));
}

#[test]
fn a_second_connect_is_a_violation_and_its_password_no_evidence() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let login = login("pump-1");
    world.log_in_on(connection, &login);
    assert_eq!(world.outputs(), [Output::Close { connection }]);
    let facts = world.facts();
    let HubEvent::ProtocolViolated { violation, bytes_hex, .. } = &facts[0] else { panic!("{facts:?}") };
    assert_eq!(violation, "second CONNECT");
    assert_eq!(bytes_hex.len(), 24);
}

#[test]
fn quality_of_service_two_an_oversized_packet_and_http_are_violations() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let (text, _) = violation(&mut world, &[0x34, 5, 0, 1, b'a', 0, 1], Some(connection));
    assert_eq!(text, "quality of service 2 is not supported");
    let (text, _) = violation(&mut world, &[0x10, 0xFF, 0xFF, 0x7F], None);
    assert_eq!(text, "packet is larger than 262144 bytes");
    let (_, bytes) = violation(&mut world, b"\xFFET / HTTP/1.1\r\nHost: hub.hilarm.test\r\n\r\n", None);
    assert_eq!(bytes.len(), 64, "32 bytes of evidence");
}

#[test]
fn an_oversized_security_message_is_a_violation_and_one_that_just_fits_is_judged_by_its_content() {
    let topic =
        "devices/pump-1/messages/events/mti=2.3-1-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";
    let packet = |payload_bytes: usize| {
        let payload = vec![0xFF; payload_bytes];
        let id = PacketId::new(7);
        encode(&Packet::Publish(Publish { duplicate: false, retain: false, topic, id, payload: &payload }))
    };
    let fits = 256 * 1024 - packet(0).len() - 2;
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.receive(connection, &packet(fits));
    assert_eq!(world.sent(connection), [[0x40, 2, 0, 7]]);
    let facts = world.facts();
    let [HubEvent::SecurityMessageRejected { payload_bytes, .. }] = facts[..] else { panic!("{facts:?}") };
    assert_eq!(payload_bytes, fits as u64);
    let (text, _) = violation(&mut world, &packet(fits + 1), Some(connection));
    assert_eq!(text, "packet is larger than 262144 bytes");
}

#[test]
fn bytes_after_the_end_of_a_connection_mean_nothing() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.receive(connection, &[0xE0, 0, 0xC0, 0]);
    world.receive(connection, &[0xC0, 0]);
    assert_eq!(world.outputs(), [Output::Close { connection }]);
    assert_eq!(world.endings(), [(connection.0, CloseReason::Disconnected)]);
}

#[test]
fn a_large_packet_delivered_byte_by_byte_arrives_whole() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let topic = "devices/pump-1/messages/events/";
    let payload = vec![7; 50_000];
    let publish = Publish { duplicate: false, retain: false, topic, id: PacketId::new(7), payload: &payload };
    for byte in encode(&Packet::Publish(publish)) {
        world.receive(connection, &[byte]);
    }
    assert_eq!(world.sent(connection), [[0x40, 2, 0, 7]]);
}

/// A conversation of a device, as one string of bytes.
fn conversation() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut say = |packet: &Packet<'_>| bytes.extend(encode(packet));
    let publish = |topic, payload| {
        Packet::Publish(Publish { duplicate: false, retain: false, topic, id: PacketId::new(3), payload })
    };
    say(&Packet::PingReq);
    say(&publish("devices/pump-1/messages/events/a=b", b"21.5"));
    say(&publish("$iothub/twin/GET/?$rid=1", b" "));
    say(&publish("$iothub/twin/PATCH/properties/reported/?$rid=2", b"{\"rate\":5}"));
    say(&Packet::Disconnect);
    bytes
}

fn run(cuts: &[usize]) -> (Vec<Output>, Vec<HubEvent>) {
    let mut world = World::new();
    let connection = world.log_in(&login("pump-1"));
    let bytes = conversation();
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        world.receive(connection, &bytes[start..cut.clamp(start, bytes.len())]);
        start = start.max(cut.min(bytes.len()));
    }
    (world.outputs(), world.facts())
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_changes_nothing(mut cuts in prop::collection::vec(0usize..200, 0..12)) {
        cuts.sort_unstable();
        prop_assert_eq!(run(&cuts), run(&[]));
    }

    #[test]
    fn hostile_bytes_never_panic_before_or_after_connect(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        logged_in: bool,
    ) {
        let mut world = World::new();
        let connection = if logged_in { world.online("pump-1") } else { world.open() };
        world.receive(connection, &bytes);
    }

    #[test]
    fn a_mutated_conversation_never_panics(at in 0usize..200, byte: u8) {
        let mut world = World::new();
        let connection = world.online("pump-1");
        let mut bytes = conversation();
        let at = at % bytes.len();
        bytes[at] = byte;
        world.receive(connection, &bytes);
    }
}

#[test]
fn byte_by_byte_equals_all_at_once() {
    let every: Vec<usize> = (0..conversation().len()).collect();
    assert_eq!(run(&every), run(&[]));
}
