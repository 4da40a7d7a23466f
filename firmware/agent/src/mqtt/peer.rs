//! The other end, for tests: packets made and read by hand, sharing no code with the client's codec.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::packet::Publish;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    Connect { client_id: String, user_name: Option<String>, password: Option<String>, clean: bool },
    Publish(Publish),
    PubAck(u16),
    Subscribe { id: u16, filters: Vec<(String, u8)> },
    Ping,
    Disconnect,
}

/// All packets in `bytes`; panics on anything malformed or incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Vec<FromClient> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut length, mut at, mut shift) = (0, 1, 0);
        loop {
            length |= (rest[at] as usize & 0x7F) << shift;
            shift += 7;
            at += 1;
            if rest[at - 1] < 0x80 {
                break;
            }
        }
        packets.push(read(rest[0], &rest[at..at + length]));
        rest = &rest[at + length..];
    }
    packets
}

fn read(first: u8, body: &[u8]) -> FromClient {
    match first {
        0x10 => read_connect(body),
        0x30..=0x3F => read_publish(first, body),
        0x40 => FromClient::PubAck(word(body, 0)),
        0x82 => read_subscribe(body),
        0xC0 => FromClient::Ping,
        0xE0 => FromClient::Disconnect,
        other => panic!("a client never sends {other:#x}"),
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) * 256 + u16::from(bytes[at + 1])
}

fn text(bytes: &[u8], at: &mut usize) -> String {
    let length = word(bytes, *at) as usize;
    let text = core::str::from_utf8(&bytes[*at + 2..*at + 2 + length]).unwrap().to_string();
    *at += 2 + length;
    text
}

fn read_connect(body: &[u8]) -> FromClient {
    assert_eq!(&body[..7], b"\0\x04MQTT\x04");
    let flags = body[7];
    let mut at = 10;
    FromClient::Connect {
        client_id: text(body, &mut at),
        user_name: (flags & 0x80 != 0).then(|| text(body, &mut at)),
        password: (flags & 0x40 != 0).then(|| text(body, &mut at)),
        clean: flags & 2 != 0,
    }
}

fn read_publish(first: u8, body: &[u8]) -> FromClient {
    let mut at = 0;
    let topic = text(body, &mut at);
    let id = (first & 2 != 0).then(|| word(body, at));
    at += if id.is_some() { 2 } else { 0 };
    FromClient::Publish(Publish {
        duplicate: first & 8 != 0,
        retain: first & 1 != 0,
        topic,
        id,
        payload: body[at..].to_vec(),
    })
}

fn read_subscribe(body: &[u8]) -> FromClient {
    let (mut at, mut filters) = (2, Vec::new());
    while at < body.len() {
        let filter = text(body, &mut at);
        filters.push((filter, body[at]));
        at += 1;
    }
    FromClient::Subscribe { id: word(body, 0), filters }
}

pub(crate) fn connack(session_present: bool, code: u8) -> Vec<u8> {
    Vec::from([0x20, 2, u8::from(session_present), code])
}

pub(crate) fn puback(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    Vec::from([0x40, 2, high, low])
}

pub(crate) fn suback(id: u16, granted: &[u8]) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut bytes = Vec::from([0x90, granted.len() as u8 + 2, high, low]);
    bytes.extend(granted);
    bytes
}

pub(crate) fn pingresp() -> Vec<u8> {
    Vec::from([0xD0, 0])
}

pub(crate) fn publish(topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
    let mut body = Vec::from((topic.len() as u16).to_be_bytes());
    body.extend(topic.bytes());
    body.extend(id.map(u16::to_be_bytes).into_iter().flatten());
    body.extend(payload);
    let mut bytes = Vec::from([if id.is_some() { 0x32 } else { 0x30 }]);
    let mut length = body.len();
    while length >= 0x80 {
        bytes.push((length % 0x80) as u8 + 0x80);
        length /= 0x80;
    }
    bytes.push(length as u8);
    bytes.extend(body);
    bytes
}
