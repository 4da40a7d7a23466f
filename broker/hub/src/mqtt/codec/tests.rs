//! The codec as a whole: round trips, cut points, hostile bytes.

use proptest::prelude::*;

use super::*;
use crate::mqtt::client_packets::encode;

const MAX: usize = 256 * 1024;

fn decode_all(mut bytes: &[u8]) -> Result<Vec<Packet<'_>>, Violation> {
    let mut packets = Vec::new();
    while let Some(frame) = split(bytes, MAX)? {
        packets.push(decode(frame)?);
        bytes = &bytes[frame.whole.len()..];
    }
    Ok(packets)
}

fn refused(bytes: &[u8]) -> Violation {
    decode_all(bytes).unwrap_err()
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

/// The flags, keep-alive and empty client id of a CONNECT, as given.
fn connect_with(flags: u8, rest: &[u8]) -> Vec<u8> {
    let body = [&[0, 4, b'M', b'Q', b'T', b'T', 4, flags, 0, 60][..], rest].concat();
    [&[0x10, body.len() as u8][..], &body].concat()
}

#[test]
fn contradicting_connect_flags_are_refused() {
    for flags in [0x03, 0x42, 0x22, 0x0A] {
        assert_eq!(refused(&connect_with(flags, &[0, 0])), Violation::ConnectFlags, "{flags:#x}");
    }
    assert_eq!(refused(&connect_with(0x1E, &[0, 0])), Violation::QoS3);
}

#[test]
fn another_protocol_level_is_named_and_another_protocol_refused() {
    let other = [0x10, 9, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3];
    assert_eq!(decode_all(&other), Ok(vec![Packet::ConnectOtherLevel(3)]));
    assert_eq!(refused(&[0x10, 7, 0, 4, b'A', b'M', b'Q', b'P', 4]), Violation::ProtocolName);
}

#[test]
fn a_trailing_nul_of_the_user_name_is_tolerated_and_no_other_control_character() {
    let connect = |user: &[u8]| connect_with(0x82, &[&[0, 1, b'd', 0, user.len() as u8][..], user].concat());
    let bytes = connect(b"hub/d\0");
    let Ok([Packet::Connect(packet)]) =
        decode_all(&bytes).as_deref().map(|p| <[_; 1]>::try_from(p.to_vec()).unwrap())
    else {
        panic!()
    };
    assert_eq!(packet.user_name, Some("hub/d"));
    for bad in [&b"hub\0/d"[..], b"hub/d\0\0", b"hub/d\n", "hub/\u{85}d".as_bytes()] {
        assert_eq!(refused(&connect(bad)), Violation::ControlCharacter, "{bad:?}");
    }
}

#[test]
fn publish_rules_are_kept() {
    assert_eq!(refused(&[0x34, 5, 0, 1, b'a', 0, 1]), Violation::QoS2);
    assert_eq!(refused(&[0x36, 5, 0, 1, b'a', 0, 1]), Violation::QoS3);
    assert_eq!(refused(&[0x38, 3, 0, 1, b'a']), Violation::DuplicateQoS0);
    assert_eq!(refused(&[0x32, 5, 0, 1, b'a', 0, 0]), Violation::PacketIdZero);
    assert_eq!(refused(&[0x30, 3, 0, 1, b'#']), Violation::TopicName);
    assert_eq!(refused(&[0x30, 2, 0, 0]), Violation::TopicName);
    assert_eq!(refused(&[0x30, 3, 0, 9, b'a']), Violation::Truncated);
    assert_eq!(refused(&[0x30, 3, 0, 1, 0xFF]), Violation::NotUtf8);
}

#[test]
fn subscribe_rules_are_kept() {
    assert_eq!(refused(&[0x82, 2, 0, 1]), Violation::NoTopicFilter);
    assert_eq!(refused(&[0xA2, 2, 0, 1]), Violation::NoTopicFilter);
    assert_eq!(refused(&[0x82, 6, 0, 1, 0, 1, b'a', 4]), Violation::TopicFilter);
    assert_eq!(refused(&[0x82, 6, 0, 1, 0, 1, b'a', 3]), Violation::QoS3);
    for bad in ["a#", "#/a", "a/b+", "+a/b", ""] {
        let packet = Packet::Subscribe(Subscribe { id: id(1), filters: vec![(bad, QoS::AtMostOnce)] });
        assert_eq!(refused(&encode(&packet)), Violation::TopicFilter, "{bad}");
    }
}

#[test]
fn a_packet_longer_than_its_content_is_refused() {
    assert_eq!(refused(&[0xC0, 1, 0]), Violation::TrailingBytes);
    assert_eq!(refused(&[0x40, 3, 0, 1, 0]), Violation::TrailingBytes);
}

#[test]
fn long_lengths_are_encoded_as_they_are_decoded() {
    for length in [0, 127, 128, 16_383, 16_384, 200_000] {
        let bytes = encode::publish("a", &vec![7; length]);
        let Ok(packets) = decode_all(&bytes) else { panic!() };
        assert!(matches!(&packets[..], [Packet::Publish(publish)] if publish.payload.len() == length));
    }
}

#[derive(Clone, Debug)]
enum Sent {
    Connect(bool, u16, String, Option<(String, Vec<u8>, bool)>, Option<String>, Option<Vec<u8>>),
    Publish(bool, bool, String, Option<u16>, Vec<u8>),
    PubAck(u16),
    Subscribe(u16, Vec<(String, bool)>),
    Unsubscribe(u16, Vec<String>),
    Ping,
    Disconnect,
}

impl Sent {
    fn packet(&self) -> Packet<'_> {
        match self {
            Self::Connect(clean_session, keep_alive_s, client_id, will, user_name, password) => {
                Packet::Connect(Connect {
                    clean_session: *clean_session,
                    keep_alive_s: *keep_alive_s,
                    client_id,
                    will: will.as_ref().map(|(topic, payload, retain)| Will {
                        topic,
                        payload,
                        qos: QoS::AtLeastOnce,
                        retain: *retain,
                    }),
                    user_name: user_name.as_deref(),
                    password: password.as_deref().filter(|_| user_name.is_some()),
                })
            }
            Self::Publish(duplicate, retain, topic, id, payload) => Packet::Publish(Publish {
                duplicate: *duplicate && id.is_some(),
                retain: *retain,
                topic,
                id: id.and_then(PacketId::new),
                payload,
            }),
            Self::PubAck(number) => Packet::PubAck(id(*number)),
            Self::Subscribe(number, filters) => {
                let qos = |above: bool| if above { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                let filters = filters.iter().map(|(filter, above)| (filter.as_str(), qos(*above))).collect();
                Packet::Subscribe(Subscribe { id: id(*number), filters })
            }
            Self::Unsubscribe(number, filters) => {
                let filters = filters.iter().map(String::as_str).collect();
                Packet::Unsubscribe(Unsubscribe { id: id(*number), filters })
            }
            Self::Ping => Packet::PingReq,
            Self::Disconnect => Packet::Disconnect,
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let text = || "[a-z$/ü]{1,12}";
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    let will = (text(), bytes(), any::<bool>());
    prop_oneof![
        (
            any::<bool>(),
            any::<u16>(),
            text(),
            prop::option::of(will),
            prop::option::of(text()),
            prop::option::of(bytes())
        )
            .prop_map(|(a, b, c, d, e, f)| Sent::Connect(a, b, c, d, e, f)),
        (any::<bool>(), any::<bool>(), text(), prop::option::of(1u16..), bytes())
            .prop_map(|(a, b, c, d, e)| Sent::Publish(a, b, c, d, e)),
        (1u16..).prop_map(Sent::PubAck),
        (1u16.., prop::collection::vec((text().prop_map(String::from), any::<bool>()), 1..4))
            .prop_map(|(a, b)| Sent::Subscribe(a, b)),
        (1u16.., prop::collection::vec(text().prop_map(String::from), 1..4))
            .prop_map(|(a, b)| Sent::Unsubscribe(a, b)),
        Just(Sent::Ping),
        Just(Sent::Disconnect),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(sent in sent()) {
        let packet = sent.packet();
        let bytes = encode(&packet);
        prop_assert_eq!(decode_all(&bytes), Ok(vec![packet]));
    }

    #[test]
    fn a_prefix_of_a_packet_is_never_a_violation(sent in sent(), keep in any::<prop::sample::Index>()) {
        let bytes = encode(&sent.packet());
        prop_assert_eq!(decode_all(&bytes[..keep.index(bytes.len())]), Ok(Vec::new()));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_all(&bytes);
    }

    #[test]
    fn a_mutated_packet_never_panics(sent in sent(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&sent.packet());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_all(&bytes);
    }
}
