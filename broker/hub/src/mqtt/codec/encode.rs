//! Packets of the hub, as bytes.

use super::packet::{ConnectReturnCode, PacketId};

/// 3.2.
pub(crate) fn connack(session_present: bool, code: ConnectReturnCode) -> Vec<u8> {
    vec![0x20, 2, u8::from(session_present), code as u8]
}

/// 3.4.
pub(crate) fn puback(id: PacketId) -> Vec<u8> {
    let [high, low] = id.get().to_be_bytes();
    vec![0x40, 2, high, low]
}

/// 3.9. Each code is a granted quality of service or 0x80.
pub(crate) fn suback(id: PacketId, codes: &[u8]) -> Vec<u8> {
    let mut bytes = header(0x90, 2 + codes.len());
    bytes.extend_from_slice(&id.get().to_be_bytes());
    bytes.extend_from_slice(codes);
    bytes
}

/// 3.11.
pub(crate) fn unsuback(id: PacketId) -> Vec<u8> {
    let [high, low] = id.get().to_be_bytes();
    vec![0xB0, 2, high, low]
}

/// 3.13.
pub(crate) fn pingresp() -> Vec<u8> {
    vec![0xD0, 0]
}

/// 3.3, quality of service 0.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(0x30, 2 + topic.len() + payload.len());
    put_text(&mut bytes, topic);
    bytes.extend_from_slice(payload);
    bytes
}

/// 3.3, quality of service 1.
pub(crate) fn publish_at_least_once(topic: &str, id: PacketId, duplicate: bool, payload: &[u8]) -> Vec<u8> {
    let head = if duplicate { 0x3A } else { 0x32 };
    let mut bytes = header(head, 4 + topic.len() + payload.len());
    put_text(&mut bytes, topic);
    bytes.extend_from_slice(&id.get().to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Topics of the hub stay below 65,536 bytes: what goes into them was bounded when it came in.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Fixed header, with room for what follows.
pub(super) fn header(head: u8, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + length);
    bytes.push(head);
    let mut rest = length;
    loop {
        let low = (rest & 0x7F) as u8;
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
