//! From a frame to a packet. Every length is checked; a packet must use its bytes up exactly.

use super::packet::{Connect, Packet, PacketId, Publish, QoS, Subscribe, Unsubscribe, Will};
use super::{Frame, Violation};

/// Decodes one packet of a client.
pub(crate) fn decode(frame: Frame<'_>) -> Result<Packet<'_>, Violation> {
    let mut reader = Reader(frame.body);
    let packet = match frame.head >> 4 {
        1 => match connect(&mut reader)? {
            // The rest of another protocol level is not ours to parse.
            other @ Packet::ConnectOtherLevel(_) => return Ok(other),
            connect => connect,
        },
        3 => return publish(frame.head, reader).map(Packet::Publish),
        4 => Packet::PubAck(reader.packet_id()?),
        8 => Packet::Subscribe(subscribe(&mut reader)?),
        10 => Packet::Unsubscribe(unsubscribe(&mut reader)?),
        12 => Packet::PingReq,
        14 => Packet::Disconnect,
        other => return Err(Violation::PacketType(other)),
    };
    if reader.0.is_empty() { Ok(packet) } else { Err(Violation::TrailingBytes) }
}

fn connect<'a>(reader: &mut Reader<'a>) -> Result<Packet<'a>, Violation> {
    let name = reader.bytes()?;
    let level = reader.u8()?;
    match (name, level) {
        (b"MQTT", 4) => {}
        (b"MQTT" | b"MQIsdp", level) => return Ok(Packet::ConnectOtherLevel(level)),
        _ => return Err(Violation::ProtocolName),
    }
    let flags = ConnectFlags::new(reader.u8()?)?;
    let keep_alive_s = reader.u16()?;
    let client_id = reader.text()?;
    let will = if flags.will { Some(will(reader, flags)?) } else { None };
    let user_name = if flags.user_name { Some(reader.user_name()?) } else { None };
    let password = if flags.password { Some(reader.bytes()?) } else { None };
    let clean_session = flags.clean_session;
    Ok(Packet::Connect(Connect { clean_session, keep_alive_s, client_id, will, user_name, password }))
}

#[derive(Clone, Copy)]
struct ConnectFlags {
    clean_session: bool,
    will: bool,
    will_qos: QoS,
    will_retain: bool,
    user_name: bool,
    password: bool,
}

impl ConnectFlags {
    /// 3.1.2.3 to 3.1.2.9.
    fn new(flags: u8) -> Result<Self, Violation> {
        let bit = |bit: u8| flags & (1 << bit) != 0;
        let (will, will_retain, user_name, password) = (bit(2), bit(5), bit(7), bit(6));
        let will_qos = qos(flags >> 3)?;
        let stray_will = !will && (will_retain || will_qos != QoS::AtMostOnce);
        if bit(0) || stray_will || (password && !user_name) {
            return Err(Violation::ConnectFlags);
        }
        Ok(Self { clean_session: bit(1), will, will_qos, will_retain, user_name, password })
    }
}

fn will<'a>(reader: &mut Reader<'a>, flags: ConnectFlags) -> Result<Will<'a>, Violation> {
    let topic = topic_name(reader.text()?)?;
    Ok(Will { topic, payload: reader.bytes()?, qos: flags.will_qos, retain: flags.will_retain })
}

fn publish(head: u8, mut reader: Reader<'_>) -> Result<Publish<'_>, Violation> {
    let duplicate = head & 8 != 0;
    let qos = qos(head >> 1)?;
    let topic = topic_name(reader.text()?)?;
    let id = match qos {
        QoS::AtMostOnce if duplicate => return Err(Violation::DuplicateQoS0),
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(reader.packet_id()?),
        QoS::ExactlyOnce => return Err(Violation::QoS2),
    };
    Ok(Publish { duplicate, retain: head & 1 != 0, topic, id, payload: reader.0 })
}

fn subscribe<'a>(reader: &mut Reader<'a>) -> Result<Subscribe<'a>, Violation> {
    let id = reader.packet_id()?;
    let mut filters = Vec::new();
    while !reader.0.is_empty() {
        let filter = topic_filter(reader.text()?)?;
        let asked = reader.u8()?;
        if asked > 3 {
            return Err(Violation::TopicFilter);
        }
        filters.push((filter, qos(asked)?));
    }
    if filters.is_empty() { Err(Violation::NoTopicFilter) } else { Ok(Subscribe { id, filters }) }
}

fn unsubscribe<'a>(reader: &mut Reader<'a>) -> Result<Unsubscribe<'a>, Violation> {
    let id = reader.packet_id()?;
    let mut filters = Vec::new();
    while !reader.0.is_empty() {
        filters.push(topic_filter(reader.text()?)?);
    }
    if filters.is_empty() { Err(Violation::NoTopicFilter) } else { Ok(Unsubscribe { id, filters }) }
}

/// The two low bits.
fn qos(bits: u8) -> Result<QoS, Violation> {
    match bits & 3 {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(Violation::QoS3),
    }
}

fn topic_name(topic: &str) -> Result<&str, Violation> {
    let wildcard = topic.bytes().any(|byte| matches!(byte, b'+' | b'#'));
    if topic.is_empty() || wildcard { Err(Violation::TopicName) } else { Ok(topic) }
}

/// 4.7.1: `#` stands alone in the last level, `+` alone in any level.
fn topic_filter(filter: &str) -> Result<&str, Violation> {
    let mut levels = filter.split('/').rev();
    let last = levels.next().unwrap_or_default();
    let last_fits = last == "#" || last == "+" || !last.contains(['#', '+']);
    let fits = last_fits && levels.all(|level| level == "+" || !level.contains(['#', '+']));
    if filter.is_empty() || !fits { Err(Violation::TopicFilter) } else { Ok(filter) }
}

/// Takes values off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Violation> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Violation::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Violation> {
        let (&byte, rest) = self.0.split_first().ok_or(Violation::Truncated)?;
        self.0 = rest;
        Ok(byte)
    }

    fn u16(&mut self) -> Result<u16, Violation> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(Violation::Truncated)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(bytes))
    }

    fn packet_id(&mut self) -> Result<PacketId, Violation> {
        PacketId::new(self.u16()?).ok_or(Violation::PacketIdZero)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Violation> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn text(&mut self) -> Result<&'a str, Violation> {
        text(self.bytes()?)
    }

    /// Some ThreadX builds count the terminating NUL of their user name in its length.
    fn user_name(&mut self) -> Result<&'a str, Violation> {
        let bytes = self.bytes()?;
        text(bytes.strip_suffix(&[0]).unwrap_or(bytes))
    }
}

/// 1.5.3: UTF-8; control characters are a protocol error, NUL by the standard, the others as IoT Hub has it.
fn text(bytes: &[u8]) -> Result<&str, Violation> {
    let text = str::from_utf8(bytes).map_err(|_| Violation::NotUtf8)?;
    let control = if text.is_ascii() {
        bytes.iter().any(u8::is_ascii_control)
    } else {
        text.chars().any(char::is_control)
    };
    if control { Err(Violation::ControlCharacter) } else { Ok(text) }
}
