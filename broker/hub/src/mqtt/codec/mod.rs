//! MQTT 3.1.1 packets (OASIS standard of 29 October 2014): bytes as checked views, meaning as values.
//! Decoding never copies a payload; anything a client may not send is a [`Violation`].

mod decode;
pub(crate) mod encode;
mod frame;
mod packet;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
pub(crate) use frame::{Frame, split};
#[cfg(test)]
pub(crate) use packet::Will;
pub(crate) use packet::{Connect, ConnectReturnCode, Packet, PacketId, Publish, QoS, Subscribe, Unsubscribe};

/// A rule of the protocol that a client broke; its text goes into the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("first packet is not CONNECT")]
    FirstPacketNotConnect,
    #[error("second CONNECT")]
    SecondConnect,
    #[error("packet type {0} is not for clients")]
    PacketType(u8),
    #[error("reserved flags of the fixed header are wrong")]
    FixedHeaderFlags,
    #[error("remaining length is longer than four bytes")]
    RemainingLength,
    #[error("packet is larger than {0} bytes")]
    PacketTooLarge(usize),
    #[error("packet ends too early")]
    Truncated,
    #[error("bytes follow the end of the packet")]
    TrailingBytes,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("text holds a control character")]
    ControlCharacter,
    #[error("protocol name is not MQTT")]
    ProtocolName,
    #[error("connect flags contradict each other")]
    ConnectFlags,
    #[error("quality of service 3")]
    QoS3,
    #[error("quality of service 2 is not supported")]
    QoS2,
    #[error("DUP on a message of quality of service 0")]
    DuplicateQoS0,
    #[error("packet identifier is zero")]
    PacketIdZero,
    #[error("topic name is empty or holds a wildcard")]
    TopicName,
    #[error("topic filter is malformed")]
    TopicFilter,
    #[error("no topic filter")]
    NoTopicFilter,
}
