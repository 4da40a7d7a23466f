//! A fixed order for what rumqttd keeps in hash maps: retained messages that match one filter, and the copies
//! of one message for overlapping filters. The order of different live messages is theirs and stays.

use rumqttd::protocol::v4::check;

/// Puts the packets that one cause brought to one stream into their fixed order.
pub(crate) fn order(packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut ordered = Vec::with_capacity(packets.len());
    let mut run = Vec::new();
    for packet in packets {
        match Message::read(&packet) {
            Some(message) => run.push(message),
            None => {
                ordered.extend(order_messages(std::mem::take(&mut run)));
                ordered.push(packet);
            }
        }
    }
    ordered.extend(order_messages(run));
    ordered
}

/// Packet ids stay in their places: rumqttd wants them acknowledged in the order in which it gave them.
fn order_messages(mut run: Vec<Message>) -> impl Iterator<Item = Vec<u8>> {
    let ids: Vec<_> = run.iter().filter_map(Message::packet_id).collect();
    run.chunk_by_mut(|one, next| one.exchangeable(next)).for_each(|chunk| {
        chunk.sort_by(|one, other| one.key().cmp(&other.key()));
    });
    let mut ids = ids.into_iter();
    run.into_iter().map(move |mut message| {
        if message.id.is_some()
            && let Some(id) = ids.next()
        {
            message.set_packet_id(id);
        }
        message.packet
    })
}

/// A PUBLISH packet, and where its parts are.
struct Message {
    packet: Vec<u8>,
    topic: (usize, usize),
    id: Option<usize>,
}

impl Message {
    fn read(packet: &[u8]) -> Option<Self> {
        let header = check(packet.iter(), usize::MAX).ok()?;
        if header.byte1 >> 4 != 3 {
            return None;
        }
        let start = header.fixed_header_len + 2;
        let length = packet.get(start - 2..start)?;
        let end = start + usize::from(u16::from_be_bytes([length[0], length[1]]));
        let id = (header.byte1 & 0b0110 != 0).then_some(end);
        packet.get(..id.map_or(end, |id| id + 2))?;
        Some(Self { packet: packet.to_vec(), topic: (start, end), id })
    }

    fn retained(&self) -> bool {
        self.packet[0] & 1 != 0
    }

    fn content(&self) -> (&[u8], &[u8]) {
        let (start, end) = self.topic;
        (&self.packet[start..end], &self.packet[self.id.map_or(end, |id| id + 2)..])
    }

    fn key(&self) -> (&[u8], &[u8], u8) {
        let (topic, payload) = self.content();
        (topic, payload, self.packet[0])
    }

    fn exchangeable(&self, next: &Self) -> bool {
        self.retained() == next.retained() && (self.retained() || self.content() == next.content())
    }

    fn packet_id(&self) -> Option<[u8; 2]> {
        self.id.map(|at| [self.packet[at], self.packet[at + 1]])
    }

    fn set_packet_id(&mut self, id: [u8; 2]) {
        if let Some(at) = self.id {
            self.packet[at..at + 2].copy_from_slice(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBACK: [u8; 5] = [0x90, 3, 0, 1, 1];

    fn message(byte1: u8, topic: u8, id: &[u8]) -> Vec<u8> {
        [&[byte1, 4 + id.len() as u8, 0, 1, topic], id, b"x"].concat()
    }

    #[test]
    fn retained_messages_are_sorted_by_topic_and_packet_ids_stay() {
        let sent = vec![SUBACK.to_vec(), message(0x33, b'b', &[0, 1]), message(0x33, b'a', &[0, 2])];
        let expected = [SUBACK.to_vec(), message(0x33, b'a', &[0, 1]), message(0x33, b'b', &[0, 2])];
        assert_eq!(order(sent), expected);
    }

    #[test]
    fn copies_of_one_message_are_sorted_by_their_quality_of_service() {
        let sent = vec![message(0x32, b'a', &[0, 1]), message(0x30, b'a', &[])];
        assert_eq!(order(sent), [message(0x30, b'a', &[]), message(0x32, b'a', &[0, 1])]);
    }

    #[test]
    fn different_live_messages_stay_in_order() {
        let sent = vec![message(0x30, b'b', &[]), message(0x30, b'a', &[])];
        assert_eq!(order(sent.clone()), sent);
    }
}
