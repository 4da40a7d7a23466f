//! Packets to bytes.

use alloc::vec::Vec;

use super::packet::{ClientPacket, Connect};

const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const PINGREQ: u8 = 0xC0;
const DISCONNECT: u8 = 0xE0;

/// Protocol name and level of MQTT 3.1.1 (3.1.2.1, 3.1.2.2).
const PROTOCOL: [u8; 7] = [0, 4, b'M', b'Q', b'T', b'T', 4];
const MAX_STRING_BYTES: usize = 0xFFFF;

/// Appends a packet.
pub(super) fn packet(packet: &ClientPacket<'_>, out: &mut Vec<u8>) {
    match packet {
        ClientPacket::Connect(connect) => with_header(CONNECT, &connect_body(connect), out),
        ClientPacket::PubAck { id } => with_header(PUBACK, &id.to_be_bytes(), out),
        ClientPacket::Subscribe { id, filters } => {
            let mut body = Vec::from(id.to_be_bytes());
            for (filter, qos) in *filters {
                put_string(&mut body, filter);
                body.push(qos.bits());
            }
            with_header(SUBSCRIBE, &body, out);
        }
        ClientPacket::PingReq => with_header(PINGREQ, &[], out),
        ClientPacket::Disconnect => with_header(DISCONNECT, &[], out),
    }
}

/// Appends a PUBLISH: quality of service 1 when it has an `id`, else 0.
pub(super) fn publish(topic: &str, payload: &[u8], id: Option<u16>, duplicate: bool, out: &mut Vec<u8>) {
    let topic_bytes = topic.len().min(MAX_STRING_BYTES);
    let id_bytes = if id.is_some() { 2 } else { 0 };
    out.push(PUBLISH | u8::from(duplicate) << 3 | u8::from(id.is_some()) << 1);
    put_remaining_length(out, 2 + topic_bytes + id_bytes + payload.len());
    put_string(out, topic);
    if let Some(id) = id {
        out.extend_from_slice(&id.to_be_bytes());
    }
    out.extend_from_slice(payload);
}

fn connect_body(connect: &Connect) -> Vec<u8> {
    let flags = u8::from(connect.user_name.is_some()) << 7
        | u8::from(connect.password.is_some()) << 6
        | u8::from(connect.clean_session) << 1;
    let mut body = Vec::from(PROTOCOL);
    body.push(flags);
    body.extend_from_slice(&connect.keep_alive_s.to_be_bytes());
    put_string(&mut body, &connect.client_id);
    for field in [&connect.user_name, &connect.password].into_iter().flatten() {
        put_string(&mut body, field);
    }
    body
}

fn with_header(first: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    put_remaining_length(out, body.len());
    out.extend_from_slice(body);
}

/// Seven bits a byte, least significant first (2.2.3).
fn put_remaining_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7F) as u8;
        length >>= 7;
        out.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            return;
        }
    }
}

/// Length and bytes; what goes beyond the format's 65,535 bytes is cut off.
fn put_string(out: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(MAX_STRING_BYTES)];
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::packet::Qos;
    use crate::mqtt::peer::{self, FromClient};
    use alloc::string::{String, ToString};
    use alloc::vec;
    use proptest::prelude::*;

    fn encoded(client_packet: &ClientPacket<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        packet(client_packet, &mut out);
        out
    }

    #[test]
    fn connect_with_a_token_has_the_flags_of_the_sdks() {
        let connect = Connect {
            client_id: "d".to_string(),
            user_name: Some("u".to_string()),
            password: Some("p".to_string()),
            keep_alive_s: 240,
            clean_session: false,
        };
        let expected = b"\x10\x13\0\x04MQTT\x04\xC0\0\xF0\0\x01d\0\x01u\0\x01p";
        assert_eq!(encoded(&ClientPacket::Connect(&connect)), expected);
    }

    #[test]
    fn connect_with_a_certificate_has_no_password() {
        let connect = Connect {
            client_id: "d".to_string(),
            user_name: Some("u".to_string()),
            password: None,
            keep_alive_s: 1,
            clean_session: false,
        };
        assert_eq!(encoded(&ClientPacket::Connect(&connect))[9], 0x80);
    }

    #[test]
    fn packets_without_a_body_are_two_bytes() {
        assert_eq!(encoded(&ClientPacket::PingReq), [0xC0, 0]);
        assert_eq!(encoded(&ClientPacket::Disconnect), [0xE0, 0]);
        assert_eq!(encoded(&ClientPacket::PubAck { id: 0x1234 }), [0x40, 2, 0x12, 0x34]);
    }

    #[test]
    fn subscribe_has_its_reserved_bit() {
        let filters = [("a/#", Qos::AtLeastOnce), ("b", Qos::AtMostOnce)];
        let packet = ClientPacket::Subscribe { id: 2, filters: &filters };
        assert_eq!(encoded(&packet), b"\x82\x0C\0\x02\0\x03a/#\x01\0\x01b\0");
    }

    #[test]
    fn an_endless_topic_is_cut_at_the_format_s_limit() {
        let topic = String::from_utf8(vec![b't'; 70_000]).unwrap();
        let mut out = Vec::new();
        publish(&topic, b"x", None, false, &mut out);
        let [FromClient::Publish(publish)] = &peer::parse(&out)[..] else { panic!("one PUBLISH") };
        assert_eq!((publish.topic.len(), &publish.payload[..]), (65_535, &b"x"[..]));
    }

    proptest! {
        #[test]
        fn a_publish_comes_out_at_the_peer_as_it_went_in(
            topic in "[a-z/$]{1,200}",
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            id in proptest::option::of(1u16..),
            duplicate: bool,
        ) {
            let mut out = Vec::new();
            publish(&topic, &payload, id, duplicate, &mut out);
            let [FromClient::Publish(got)] = &peer::parse(&out)[..] else { panic!("one PUBLISH") };
            prop_assert_eq!(&got.topic, &topic);
            prop_assert_eq!(&got.payload, &payload);
            prop_assert_eq!((got.id, got.duplicate), (id, duplicate));
        }
    }
}
