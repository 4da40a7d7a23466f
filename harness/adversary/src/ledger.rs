//! What the broker owes. Every packet that goes to the broker enters what must come back because of it: answers
//! on streams, copies of messages on the operator's link, ends of connections. Settled means nothing is owed.
//! Pure: no socket, no clock. It follows rumqttd 0.20's router; a wrong debt shows as a time-out that names it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rumqttd::protocol::{Connect, LastWill, Packet, Publish, matches};

use crate::frames::Reply;
use crate::session::Session;

/// A message that the operator's link must show.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    /// Who published it; nothing for an order of our own.
    client_id: Option<String>,
    topic: Vec<u8>,
    payload: Vec<u8>,
}

/// A connection at the broker.
#[derive(Debug, Default)]
struct Connection {
    client: Option<Client>,
}

#[derive(Debug)]
struct Client {
    id: String,
    clean: bool,
    session: Session,
    /// QoS 2 in: messages without a PUBREL.
    recorded: VecDeque<Publish>,
}

/// The debts of one broker.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    connections: BTreeMap<u64, Connection>,
    saved: BTreeMap<String, Session>,
    retained: BTreeSet<String>,
    wills: BTreeMap<String, LastWill>,
    replies: BTreeMap<(u64, Reply), usize>,
    copies: Vec<Copy>,
    ends: BTreeSet<u64>,
}

impl Ledger {
    /// Whether nothing is owed.
    pub(crate) fn settled(&self) -> bool {
        self.replies.is_empty() && self.copies.is_empty() && self.ends.is_empty()
    }

    /// What is owed, for a person.
    pub(crate) fn owed(&self) -> String {
        let replies = self
            .replies
            .iter()
            .map(|((stream, reply), count)| format!("{count} {} on stream {stream}", reply.name()));
        let copies = self
            .copies
            .iter()
            .map(|copy| format!("the message on {:?}", String::from_utf8_lossy(&copy.topic)));
        let ends = self.ends.iter().map(|stream| format!("the end of stream {stream}"));
        replies.chain(copies).chain(ends).collect::<Vec<_>>().join(", ")
    }

    /// Whether the stream is at the broker.
    pub(crate) fn is_open(&self, stream: u64) -> bool {
        self.connections.contains_key(&stream) && !self.ends.contains(&stream)
    }

    /// A device's TCP connection reached the broker.
    pub(crate) fn opened(&mut self, stream: u64) {
        self.connections.insert(stream, Connection::default());
    }

    /// The device closed its end, or sent what the broker's codec refuses.
    pub(crate) fn cut_off(&mut self, stream: u64) {
        let client_id = self.connections.get(&stream).and_then(|c| c.client.as_ref()).map(|c| c.id.clone());
        self.end(stream);
        if let Some(client_id) = client_id {
            self.publish_will(&client_id);
        }
    }

    /// An order goes out by the operator's link.
    pub(crate) fn ordered(&mut self, topic: &str, payload: &[u8]) {
        self.deliver(None, topic.as_bytes(), payload, true);
    }

    /// A packet goes to the broker. Its first byte says what rumqttd keeps to itself: the QoS of a PUBLISH.
    pub(crate) fn sent(&mut self, stream: u64, byte1: u8, packet: Packet) {
        let accepted = self.connections.get(&stream).is_some_and(|c| c.client.is_some());
        match packet {
            Packet::Connect(connect, _, will, _, _) if !accepted => self.connect(stream, connect, will),
            _ if !accepted => self.end(stream),
            Packet::Publish(publish, _) => self.publish(stream, byte1 >> 1 & 3, publish),
            Packet::Subscribe(subscribe, _) => {
                for filter in &subscribe.filters {
                    if filter.path.starts_with('$') {
                        return self.cut_off(stream);
                    }
                    let retained = self.retained.iter().filter(|topic| matches(topic, &filter.path)).count();
                    self.with_session(stream, |s| s.subscribe(&filter.path, filter.qos, retained));
                }
                self.answer(stream, Reply::SubAck);
            }
            Packet::Unsubscribe(unsubscribe, _) => {
                // One UNSUBACK for each filter that it knew, none for the rest.
                for filter in &unsubscribe.filters {
                    self.with_session(stream, |s| match s.unsubscribe(filter) {
                        true => s.answer(Reply::UnsubAck),
                        false => Vec::new(),
                    });
                }
            }
            Packet::PubAck(ack, _) => self.acknowledge(stream, ack.pkid, false),
            Packet::PubRec(ack, _) => self.acknowledge(stream, ack.pkid, true),
            Packet::PubRel(..) => self.released(stream),
            Packet::PubComp(ack, _) => self.completed(stream, ack.pkid),
            Packet::PingReq(_) => self.answer(stream, Reply::PingResp),
            Packet::Disconnect(..) => {
                if let Some(client) = self.client(stream) {
                    let id = client.id.clone();
                    self.wills.remove(&id);
                }
                self.end(stream);
            }
            // A second CONNECT and packets of the other direction are ignored.
            _ => {}
        }
    }

    /// An answer came on a stream.
    pub(crate) fn replied(&mut self, stream: u64, reply: Reply) {
        if let Some(count) = self.replies.get_mut(&(stream, reply)) {
            *count -= 1;
            if *count == 0 {
                self.replies.remove(&(stream, reply));
            }
        }
    }

    /// A message came on the operator's link. The client it came from; nothing for an order of our own.
    pub(crate) fn copied(&mut self, topic: &[u8], payload: &[u8]) -> Option<String> {
        let index = self.copies.iter().position(|c| c.topic == topic && c.payload == payload)?;
        self.copies.remove(index).client_id
    }

    /// The broker closed a stream: owed, or by its own decision.
    pub(crate) fn ended(&mut self, stream: u64) {
        if !self.ends.contains(&stream) {
            self.cut_off(stream);
        }
        self.ends.remove(&stream);
        self.connections.remove(&stream);
    }

    /// The router has stopped: nothing comes any more but the ends of all streams.
    pub(crate) fn stopped(&mut self) {
        self.replies.clear();
        self.copies.clear();
        self.ends = self.connections.keys().copied().collect();
        self.saved.clear();
        self.wills.clear();
        for connection in self.connections.values_mut() {
            connection.client = None;
        }
    }

    fn connect(&mut self, stream: u64, connect: Connect, will: Option<LastWill>) {
        // rumqttd closes without an answer; MQTT says that 0 turns keep-alive off.
        if connect.keep_alive == 0 {
            return self.end(stream);
        }
        if connect.client_id.is_empty() && !connect.clean_session {
            self.end(stream);
            return self.owe(stream, vec![Reply::ConnAck]);
        }
        // rumqttd gives a random id; no client can choose one with a `#`.
        let id = if connect.client_id.is_empty() { format!("#{stream}") } else { connect.client_id };
        let older = self.connections.iter().find_map(|(older, connection)| {
            connection.client.as_ref().is_some_and(|c| c.id == id).then_some(*older)
        });
        if let Some(older) = older {
            self.end(older);
        }
        if let Some(will) = will {
            self.wills.insert(id.clone(), will);
        }
        let saved = self.saved.remove(&id).filter(|_| !connect.clean_session);
        let mut session = saved.unwrap_or_default();
        let replies = session.resume();
        self.owe(stream, vec![Reply::ConnAck]);
        self.owe(stream, replies);
        let clean = connect.clean_session;
        let client = Client { id: id.clone(), clean, session, recorded: VecDeque::new() };
        self.connections.insert(stream, Connection { client: Some(client) });
        // The will that fires on a take-over is whichever the router holds by then, so the newer one.
        if older.is_some() && clean {
            self.publish_will(&id);
        }
    }

    fn publish(&mut self, stream: u64, qos: u8, publish: Publish) {
        match qos {
            // A message at QoS 2 is looked at when it is released.
            2 => {
                self.answer(stream, Reply::PubRec);
                if let Some(client) = self.client(stream) {
                    client.recorded.push_back(publish);
                }
                return;
            }
            _ if std::str::from_utf8(&publish.topic).is_err() => return self.cut_off(stream),
            1 => self.answer(stream, Reply::PubAck),
            _ => {}
        }
        let client_id = self.client(stream).map(|client| client.id.clone());
        self.deliver(client_id, &publish.topic, &publish.payload, publish.retain);
    }

    /// A PUBREL frees the oldest recorded message, whatever its packet id.
    fn released(&mut self, stream: u64) {
        let recorded = self.client(stream).and_then(|client| {
            let publish = client.recorded.pop_front()?;
            std::str::from_utf8(&publish.topic).ok()?;
            Some((client.id.clone(), publish))
        });
        match recorded {
            Some((id, publish)) => {
                self.answer(stream, Reply::PubComp);
                self.deliver(Some(id), &publish.topic, &publish.payload, publish.retain);
            }
            None => self.cut_off(stream),
        }
    }

    fn acknowledge(&mut self, stream: u64, packet_id: u16, qos2: bool) {
        match self.client(stream).and_then(|client| client.session.acknowledge(packet_id)) {
            Some(replies) => {
                self.owe(stream, replies);
                if qos2 {
                    self.with_session(stream, |s| {
                        s.release(packet_id);
                        s.answer(Reply::PubRel)
                    });
                }
            }
            None => self.cut_off(stream),
        }
    }

    fn completed(&mut self, stream: u64, packet_id: u16) {
        if !self.client(stream).is_some_and(|client| client.session.complete(packet_id)) {
            self.cut_off(stream);
        }
    }

    fn deliver(&mut self, client_id: Option<String>, topic: &[u8], payload: &[u8], retain: bool) {
        let Ok(text) = std::str::from_utf8(topic) else { return };
        if payload.is_empty() {
            self.retained.remove(text);
        } else if retain {
            self.retained.insert(text.to_owned());
        }
        if matches(text, "#") {
            self.copies.push(Copy { client_id, topic: topic.to_vec(), payload: payload.to_vec() });
        }
        for session in self.saved.values_mut() {
            session.offer(|filter| matches(text, filter));
        }
        let mut owed = Vec::new();
        for (stream, connection) in &mut self.connections {
            if let Some(client) = &mut connection.client {
                client.session.offer(|filter| matches(text, filter));
                owed.push((*stream, client.session.forward()));
            }
        }
        owed.into_iter().for_each(|(stream, replies)| self.owe(stream, replies));
    }

    fn publish_will(&mut self, client_id: &str) {
        if let Some(will) = self.wills.remove(client_id) {
            self.deliver(Some(client_id.to_owned()), &will.topic, &will.message, will.retain);
        }
    }

    /// The broker will close the stream; answers that it still owed there may come or not.
    fn end(&mut self, stream: u64) {
        let Some(connection) = self.connections.get_mut(&stream) else { return };
        if let Some(client) = connection.client.take()
            && !client.clean
        {
            self.saved.insert(client.id, client.session);
        }
        self.replies.retain(|(id, _), _| *id != stream);
        self.ends.insert(stream);
    }

    fn answer(&mut self, stream: u64, reply: Reply) {
        self.with_session(stream, |session| session.answer(reply));
    }

    fn with_session(&mut self, stream: u64, f: impl FnOnce(&mut Session) -> Vec<Reply>) {
        if let Some(replies) = self.client(stream).map(|client| f(&mut client.session)) {
            self.owe(stream, replies);
        }
    }

    fn client(&mut self, stream: u64) -> Option<&mut Client> {
        self.connections.get_mut(&stream)?.client.as_mut()
    }

    fn owe(&mut self, stream: u64, replies: Vec<Reply>) {
        for reply in replies {
            *self.replies.entry((stream, reply)).or_default() += 1;
        }
    }
}
