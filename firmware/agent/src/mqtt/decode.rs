//! Bytes to packets. The bytes come from whoever answers: every length is checked, nothing panics, and a
//! packet is never longer than [`MAX_PACKET_BYTES`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::packet::{Publish, ServerPacket};

/// The longest packet taken: a direct method's 128 KiB payload, doubled.
pub(super) const MAX_PACKET_BYTES: usize = 256 * 1024;

/// Why the bytes are no MQTT that this client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Remaining length of more than four bytes.
    Length,
    /// Longer than [`MAX_PACKET_BYTES`].
    TooLong,
    /// A packet type that a server never sends, or one of QoS 2.
    Type(u8),
    /// Reserved flags that are not as the standard wants them.
    Flags,
    /// A body too short, too long or of impossible contents.
    Body,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("malformed remaining length"),
            Self::TooLong => write!(f, "packet longer than {MAX_PACKET_BYTES} bytes"),
            Self::Type(kind) => write!(f, "unexpected packet type {kind}"),
            Self::Flags => f.write_str("reserved flags set"),
            Self::Body => f.write_str("malformed packet body"),
        }
    }
}

/// The first packet in `bytes` and its length; nothing while it is incomplete.
pub(super) fn packet(bytes: &[u8]) -> Result<Option<(ServerPacket, usize)>, DecodeError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, length_bytes)) = remaining_length(rest)? else { return Ok(None) };
    if length > MAX_PACKET_BYTES {
        return Err(DecodeError::TooLong);
    }
    let Some(body) = rest.get(length_bytes..length_bytes + length) else { return Ok(None) };
    Ok(Some((parse(first, Body(body))?, 1 + length_bytes + length)))
}

fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut length = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() >= 4 { Err(DecodeError::Length) } else { Ok(None) }
}

fn parse(first: u8, mut body: Body<'_>) -> Result<ServerPacket, DecodeError> {
    let (kind, flags) = (first >> 4, first & 0x0F);
    if kind == 3 {
        return publish(flags, body);
    }
    if ![2, 4, 9, 13].contains(&kind) {
        return Err(DecodeError::Type(kind));
    }
    if flags != 0 {
        return Err(DecodeError::Flags);
    }
    let packet = match kind {
        2 => {
            let (acknowledge, code) = (body.byte()?, body.byte()?);
            if acknowledge > 1 {
                return Err(DecodeError::Flags);
            }
            ServerPacket::ConnAck { session_present: acknowledge == 1, code }
        }
        4 => ServerPacket::PubAck { id: body.id()? },
        9 => ServerPacket::SubAck { id: body.id()?, granted: body.take_rest().to_vec() },
        _ => ServerPacket::PingResp,
    };
    if body.0.is_empty() { Ok(packet) } else { Err(DecodeError::Body) }
}

fn publish(flags: u8, mut body: Body<'_>) -> Result<ServerPacket, DecodeError> {
    let topic = body.string()?;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(DecodeError::Body);
    }
    let id = match flags >> 1 & 3 {
        0 => None,
        1 => Some(body.id()?),
        _ => return Err(DecodeError::Type(3)),
    };
    Ok(ServerPacket::Publish(Publish {
        duplicate: flags & 8 != 0,
        retain: flags & 1 != 0,
        topic,
        id,
        payload: Vec::from(body.take_rest()),
    }))
}

/// What is left of a packet.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Body)?;
        self.0 = rest;
        Ok(head)
    }

    fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u16, DecodeError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A packet identifier, which is never 0 (2.3.1).
    fn id(&mut self) -> Result<u16, DecodeError> {
        match self.word()? {
            0 => Err(DecodeError::Body),
            id => Ok(id),
        }
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        let length = usize::from(self.word()?);
        let text = core::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Body)?;
        Ok(text.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::peer;
    use alloc::vec;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> ServerPacket {
        let (packet, length) = packet(bytes).expect("good bytes").expect("a whole packet");
        assert_eq!(length, bytes.len());
        packet
    }

    #[test]
    fn packets_written_by_hand_are_read() {
        assert_eq!(whole(b"\x20\x02\x01\x00"), ServerPacket::ConnAck { session_present: true, code: 0 });
        assert_eq!(whole(b"\x20\x02\x00\x05"), ServerPacket::ConnAck { session_present: false, code: 5 });
        assert_eq!(whole(b"\x40\x02\x12\x34"), ServerPacket::PubAck { id: 0x1234 });
        assert_eq!(
            whole(b"\x90\x04\x00\x02\x01\x80"),
            ServerPacket::SubAck { id: 2, granted: vec![1, 0x80] }
        );
        assert_eq!(whole(b"\xD0\x00"), ServerPacket::PingResp);
        let publish = Publish {
            duplicate: true,
            retain: false,
            topic: "a".to_string(),
            id: Some(7),
            payload: vec![1, 2],
        };
        assert_eq!(whole(b"\x3A\x07\x00\x01a\x00\x07\x01\x02"), ServerPacket::Publish(publish));
    }

    #[test]
    fn each_breach_is_told_apart() {
        assert_eq!(packet(b"\x20\xFF\xFF\xFF\xFF\x01"), Err(DecodeError::Length));
        assert_eq!(packet(b"\x30\xFF\xFF\xFF\x7F"), Err(DecodeError::TooLong));
        assert_eq!(packet(b"\x10\x00"), Err(DecodeError::Type(1)));
        assert_eq!(packet(b"\x34\x05\x00\x01a\x00\x07"), Err(DecodeError::Type(3)), "QoS 2");
        assert_eq!(packet(b"\x21\x02\x00\x00"), Err(DecodeError::Flags));
        assert_eq!(packet(b"\x20\x02\x02\x00"), Err(DecodeError::Flags));
        assert_eq!(packet(b"\x20\x03\x00\x00\x00"), Err(DecodeError::Body));
        assert_eq!(packet(b"\x40\x02\x00\x00"), Err(DecodeError::Body), "identifier 0");
        assert_eq!(packet(b"\x30\x03\x00\x01#"), Err(DecodeError::Body), "wildcard");
        assert_eq!(packet(b"\x30\x03\x00\x01\xFF"), Err(DecodeError::Body), "not UTF-8");
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, length))) = packet(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn a_publish_of_the_peer_round_trips_and_every_cut_of_it_waits(
            topic in "[a-z/$]{1,50}",
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            id in proptest::option::of(1u16..),
            cut: usize,
        ) {
            let bytes = peer::publish(&topic, &payload, id);
            let expected = Publish { duplicate: false, retain: false, topic, id, payload };
            prop_assert_eq!(packet(&bytes), Ok(Some((ServerPacket::Publish(expected), bytes.len()))));
            prop_assert_eq!(packet(&bytes[..cut % bytes.len()]), Ok(None));
        }
    }
}
