//! Cuts byte streams into MQTT packets. What a device sends is cut and judged by rumqttd's own codec, so that
//! the ledger's opinion of a packet is the broker's; of what the broker sends only the packet types matter.

use bytes::BytesMut;
use rumqttd::protocol::v4::{V4, check};
use rumqttd::protocol::{Error, Packet, Protocol};

use crate::broker::MAX_PACKET_BYTES;

/// One step of a device's stream.
#[derive(Debug)]
pub(crate) enum Step {
    /// A packet that the broker will read, with its bytes.
    Packet(Box<Packet>, Vec<u8>),
    /// Bytes at which the broker's codec gives up, and everything after them.
    Violation(Vec<u8>),
}

/// The part of a device's stream that is no whole packet yet. It is held back: a broker that has it can only
/// wait for the rest, so nothing is owed for it.
#[derive(Debug, Default)]
pub(crate) struct DeviceFrames {
    buffer: BytesMut,
    broken: bool,
}

impl DeviceFrames {
    /// Takes bytes and gives the steps that they complete. Nothing follows a violation.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.broken {
            return steps;
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.cut() {
                Ok(step) => steps.push(step),
                Err(Error::InsufficientBytes(_)) => return steps,
                Err(_) => {
                    self.broken = true;
                    steps.push(Step::Violation(self.rest()));
                    return steps;
                }
            }
        }
    }

    /// What is still held back; it goes to the broker before the end of the stream does.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.buffer.split().to_vec()
    }

    fn cut(&mut self) -> Result<Step, Error> {
        let header = check(self.buffer.iter(), MAX_PACKET_BYTES)?;
        let frame = &self.buffer[..header.frame_length()];
        let packet = V4.read_mut(&mut BytesMut::from(frame), MAX_PACKET_BYTES)?;
        let bytes = self.buffer.split_to(header.frame_length()).to_vec();
        Ok(Step::Packet(Box::new(packet), bytes))
    }
}

/// An answer of the broker, by packet type (MQTT 3.1.1, table 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    SubAck,
    UnsubAck,
    PingResp,
}

impl Reply {
    /// What a packet of the broker answers.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        Some(match packet.first()? >> 4 {
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            9 => Self::SubAck,
            11 => Self::UnsubAck,
            13 => Self::PingResp,
            _ => return None,
        })
    }

    /// The field's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::SubAck => "SUBACK",
            Self::UnsubAck => "UNSUBACK",
            Self::PingResp => "PINGRESP",
        }
    }
}

/// The broker's side of a stream.
#[derive(Debug, Default)]
pub(crate) struct BrokerFrames {
    buffer: BytesMut,
}

impl BrokerFrames {
    /// Takes bytes and gives the packets that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let mut packets = Vec::new();
        while let Ok(header) = check(self.buffer.iter(), usize::MAX) {
            packets.push(self.buffer.split_to(header.frame_length()).to_vec());
        }
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINGREQ: [u8; 2] = [0xC0, 0];

    #[test]
    fn a_packet_is_held_back_until_it_is_whole() {
        let mut frames = DeviceFrames::default();
        assert!(frames.push(&PINGREQ[..1]).is_empty());
        assert!(matches!(&frames.push(&PINGREQ[1..])[..], [Step::Packet(_, bytes)] if bytes[..] == PINGREQ));
        assert!(frames.rest().is_empty());
    }

    #[test]
    fn two_packets_in_one_segment_are_two_steps() {
        let steps = DeviceFrames::default().push(&[PINGREQ, PINGREQ].concat());
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn garbage_is_one_violation_and_nothing_follows_it() {
        let mut frames = DeviceFrames::default();
        let steps =
            frames.push(b"GET / HTTP/1.1\r\n\r\n.......................................................");
        assert!(matches!(&steps[..], [Step::Violation(_)]), "{steps:?}");
        assert!(frames.push(&PINGREQ).is_empty());
    }

    #[test]
    fn an_endless_remaining_length_is_a_violation_at_once() {
        let steps = DeviceFrames::default().push(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert!(matches!(&steps[..], [Step::Violation(_)]));
    }

    #[test]
    fn no_two_bytes_and_no_short_tail_make_the_codec_panic() {
        for first in 0..=u8::MAX {
            for length in 0..12u8 {
                for fill in [0u8, 1, 2, 4, 0x7F, 0xFF] {
                    let mut bytes = vec![first, length];
                    bytes.extend(std::iter::repeat_n(fill, usize::from(length)));
                    DeviceFrames::default().push(&bytes);
                }
            }
        }
    }

    #[test]
    fn answers_are_told_apart_across_segments() {
        let mut frames = BrokerFrames::default();
        let mut replies = |bytes: &[u8]| -> Vec<_> {
            frames.push(bytes).iter().filter_map(|packet| Reply::of(packet)).collect()
        };
        assert_eq!(replies(&[0x20, 2, 0, 0, 0xD0]), [Reply::ConnAck]);
        assert_eq!(replies(&[0]), [Reply::PingResp]);
    }
}
