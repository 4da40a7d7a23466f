//! Packets of a client, for tests: the other end of the codec, written from the standard.

use super::codec::{Connect, Packet, Publish, QoS, Subscribe, Unsubscribe};

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text);
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut rest = body.len();
    while rest >= 0x80 {
        bytes.push((rest % 0x80) as u8 | 0x80);
        rest /= 0x80;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn encode(value: &Packet<'_>) -> Vec<u8> {
    match value {
        Packet::Connect(value) => connect(value),
        Packet::ConnectOtherLevel(level) => packet(0x10, &[&[0, 4][..], b"MQTT", &[*level]].concat()),
        Packet::Publish(value) => publish(value),
        Packet::PubAck(id) => packet(0x40, &id.get().to_be_bytes()),
        Packet::Subscribe(Subscribe { id, filters }) => {
            let mut body = id.get().to_be_bytes().to_vec();
            for (filter, qos) in filters {
                text(&mut body, filter.as_bytes());
                body.push(*qos as u8);
            }
            packet(0x82, &body)
        }
        Packet::Unsubscribe(Unsubscribe { id, filters }) => {
            let mut body = id.get().to_be_bytes().to_vec();
            filters.iter().for_each(|filter| text(&mut body, filter.as_bytes()));
            packet(0xA2, &body)
        }
        Packet::PingReq => packet(0xC0, &[]),
        Packet::Disconnect => packet(0xE0, &[]),
    }
}

fn connect(value: &Connect<'_>) -> Vec<u8> {
    let will = value.will.as_ref();
    let flags = (u8::from(value.user_name.is_some()) << 7)
        | (u8::from(value.password.is_some()) << 6)
        | (u8::from(will.is_some_and(|will| will.retain)) << 5)
        | (will.map_or(QoS::AtMostOnce, |will| will.qos) as u8) << 3
        | (u8::from(will.is_some()) << 2)
        | (u8::from(value.clean_session) << 1);
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags];
    body.extend_from_slice(&value.keep_alive_s.to_be_bytes());
    text(&mut body, value.client_id.as_bytes());
    if let Some(will) = will {
        text(&mut body, will.topic.as_bytes());
        text(&mut body, will.payload);
    }
    value.user_name.into_iter().for_each(|name| text(&mut body, name.as_bytes()));
    value.password.into_iter().for_each(|password| text(&mut body, password));
    packet(0x10, &body)
}

fn publish(value: &Publish<'_>) -> Vec<u8> {
    let head = 0x30
        | (u8::from(value.duplicate) << 3)
        | (u8::from(value.id.is_some()) << 1)
        | u8::from(value.retain);
    let mut body = Vec::new();
    text(&mut body, value.topic.as_bytes());
    value.id.into_iter().for_each(|id| body.extend_from_slice(&id.get().to_be_bytes()));
    body.extend_from_slice(value.payload);
    packet(head, &body)
}
