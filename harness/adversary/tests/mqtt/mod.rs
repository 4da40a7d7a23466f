//! MQTT 3.1.1 packets written by hand, as an infected device sends them.
#![allow(dead_code, reason = "each test crate uses a part")]

/// CONNECT with a clean session and a keep-alive of 60 s.
pub(crate) fn connect(client_id: &str) -> Vec<u8> {
    connect_with(client_id, 0x02, 60, &[])
}

/// CONNECT with a will.
pub(crate) fn connect_with_will(client_id: &str, topic: &str, message: &str) -> Vec<u8> {
    connect_with(client_id, 0x06, 60, &[string(topic), string(message)].concat())
}

/// CONNECT with the given flags, keep-alive and fields after the client id.
pub(crate) fn connect_with(client_id: &str, flags: u8, keep_alive: u16, rest: &[u8]) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([4, flags]);
    body.extend(keep_alive.to_be_bytes());
    body.extend(string(client_id));
    body.extend(rest);
    packet(0x10, &body)
}

pub(crate) fn subscribe(packet_id: u16, filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&packet_id.to_be_bytes()[..], &string(filter), &[qos]].concat())
}

pub(crate) fn unsubscribe(packet_id: u16, filter: &str) -> Vec<u8> {
    packet(0xA2, &[&packet_id.to_be_bytes()[..], &string(filter)].concat())
}

/// PUBLISH at QoS 0.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x30, &[&string(topic)[..], payload].concat())
}

/// PUBLISH at QoS 1 or 2.
pub(crate) fn publish_acknowledged(qos: u8, packet_id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x30 | qos << 1, &[&string(topic)[..], &packet_id.to_be_bytes(), payload].concat())
}

/// An acknowledgement: PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70.
pub(crate) fn acknowledge(byte1: u8, packet_id: u16) -> Vec<u8> {
    packet(byte1, &packet_id.to_be_bytes())
}

pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
pub(crate) const PINGREQ: [u8; 2] = [0xC0, 0];
pub(crate) const PINGRESP: [u8; 2] = [0xD0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// SUBACK that grants one filter.
pub(crate) fn suback(packet_id: u16, qos: u8) -> Vec<u8> {
    packet(0x90, &[&packet_id.to_be_bytes()[..], &[qos]].concat())
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short string");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn packet(byte1: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![byte1];
    let mut length = body.len();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}
