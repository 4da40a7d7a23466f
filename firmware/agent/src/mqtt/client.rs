//! The client's state machine over one transport at a time.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::packet::{ClientPacket, Connect, Publish, Qos, ServerPacket};
use super::session::{Publication, Session};
use super::{decode, encode};

/// How long a PINGRESP may take; a shorter keep-alive shortens it.
const PING_TIMEOUT_US: u64 = 30_000_000;
/// A publisher with more to say waits while this many publications do; others keep room in the queue.
const COMFORTABLE_QUEUE: usize = 64;

/// What became of the connection and of what was sent on it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The server let the client in.
    Accepted {
        /// It resumed a stored session.
        session_present: bool,
    },
    /// The server refused the CONNECT.
    Refused {
        /// CONNACK return code.
        code: u8,
    },
    /// The server answered a SUBSCRIBE.
    Subscribed {
        /// Granted QoS of each filter, or 0x80.
        granted: Vec<u8>,
    },
    /// A publication is done: acknowledged, or sent at QoS 0.
    Done {
        /// The publisher's mark.
        tag: u32,
    },
    /// A publication was dropped from the full queue.
    Dropped {
        /// The publisher's mark.
        tag: u32,
    },
    /// A message arrived; at QoS 1 its PUBACK is already on the way, unless it is withheld.
    Received(Publish),
    /// The connection is of no use any more.
    Broken {
        /// Why.
        reason: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Down,
    AwaitingConnAck,
    Up,
}

/// An MQTT client. Publications survive the loss of a connection.
pub(crate) struct Client {
    session: Session,
    link: Link,
    held: bool,
    acknowledges: bool,
    keep_alive_us: u64,
    last_sent_us: u64,
    ping_deadline_us: Option<u64>,
    input: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<Event>,
}

impl Client {
    /// A client without a connection.
    pub(crate) fn new() -> Self {
        Self {
            session: Session::default(),
            link: Link::Down,
            held: false,
            acknowledges: true,
            keep_alive_us: 0,
            last_sent_us: 0,
            ping_deadline_us: None,
            input: Vec::new(),
            output: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// The transport is up: sends CONNECT.
    pub(crate) fn start(&mut self, connect: &Connect, now_us: u64) {
        self.transport_lost();
        self.link = Link::AwaitingConnAck;
        self.keep_alive_us = u64::from(connect.keep_alive_s) * 1_000_000;
        self.send(&ClientPacket::Connect(connect), now_us);
    }

    /// Bytes arrived.
    pub(crate) fn receive(&mut self, bytes: &[u8], now_us: u64) {
        if self.link == Link::Down {
            return;
        }
        let mut input = core::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut at = 0;
        while self.link != Link::Down {
            match decode::packet(&input[at..]) {
                Ok(Some((packet, length))) => {
                    at += length;
                    self.take_packet(packet, now_us);
                }
                Ok(None) => break,
                Err(error) => self.fail(&error.to_string()),
            }
        }
        if self.link != Link::Down {
            input.drain(..at);
            self.input = input;
        }
        self.launch(now_us);
    }

    /// Pings when due, and gives up on a server that does not answer.
    pub(crate) fn handle_timeout(&mut self, now_us: u64) {
        if self.poll_timeout().is_none_or(|due_us| due_us > now_us) {
            return;
        }
        if self.ping_deadline_us.is_some() {
            self.fail("keep-alive expired");
        } else {
            self.send(&ClientPacket::PingReq, now_us);
            let patience_us = self.keep_alive_us.min(PING_TIMEOUT_US);
            self.ping_deadline_us = Some(now_us.saturating_add(patience_us));
        }
    }

    /// When [`Client::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        if self.link != Link::Up || self.keep_alive_us == 0 {
            return None;
        }
        Some(self.ping_deadline_us.unwrap_or_else(|| self.last_sent_us.saturating_add(self.keep_alive_us)))
    }

    /// Publishes when the connection and the window allow it.
    pub(crate) fn publish(&mut self, publication: Publication, now_us: u64) {
        if let Some(dropped) = self.session.enqueue(publication) {
            self.events.push_back(Event::Dropped { tag: dropped.tag });
        }
        self.launch(now_us);
    }

    /// Subscribes; only while connected.
    pub(crate) fn subscribe(&mut self, filters: &[(&str, Qos)], now_us: u64) {
        if self.link == Link::Up {
            let id = self.session.next_id();
            self.send(&ClientPacket::Subscribe { id, filters }, now_us);
        }
    }

    /// Takes leave in order. What is in flight stays for the next connection.
    pub(crate) fn disconnect(&mut self, now_us: u64) {
        if self.link != Link::Down {
            self.send(&ClientPacket::Disconnect, now_us);
            let last_words = core::mem::take(&mut self.output);
            self.transport_lost();
            self.output = last_words;
        }
    }

    /// The transport is gone.
    pub(crate) fn transport_lost(&mut self) {
        self.link = Link::Down;
        self.held = false;
        self.ping_deadline_us = None;
        self.input.clear();
        self.output.clear();
    }

    /// Sends nothing more from the queue until released, so that what is in flight can come home.
    pub(crate) fn hold(&mut self, held: bool, now_us: u64) {
        self.held = held;
        self.launch(now_us);
    }

    /// Whether messages that arrive at QoS 1 are answered with PUBACK.
    pub(crate) fn acknowledge(&mut self, acknowledges: bool) {
        self.acknowledges = acknowledges;
    }

    /// Publications whose PUBACK is still out.
    pub(crate) fn in_flight(&self) -> usize {
        self.session.in_flight().len()
    }

    /// Whether a publisher that can wait should go on.
    pub(crate) fn has_room(&self) -> bool {
        self.session.queued() < COMFORTABLE_QUEUE
    }

    /// Bytes for the transport.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn take_packet(&mut self, packet: ServerPacket, now_us: u64) {
        match (self.link, packet) {
            (Link::AwaitingConnAck, ServerPacket::ConnAck { session_present, code: 0 }) => {
                self.link = Link::Up;
                self.resend(session_present, now_us);
                self.events.push_back(Event::Accepted { session_present });
            }
            (Link::AwaitingConnAck, ServerPacket::ConnAck { code, .. }) => {
                self.transport_lost();
                self.events.push_back(Event::Refused { code });
            }
            (Link::Up, ServerPacket::Publish(publish)) => {
                if let Some(id) = publish.id
                    && self.acknowledges
                {
                    self.send(&ClientPacket::PubAck { id }, now_us);
                }
                self.events.push_back(Event::Received(publish));
            }
            (Link::Up, ServerPacket::PubAck { id }) => {
                if let Some(publication) = self.session.acknowledge(id) {
                    self.events.push_back(Event::Done { tag: publication.tag });
                }
            }
            (Link::Up, ServerPacket::SubAck { granted, .. }) => {
                self.events.push_back(Event::Subscribed { granted });
            }
            (Link::Up, ServerPacket::PingResp) => self.ping_deadline_us = None,
            (Link::Up, ServerPacket::ConnAck { .. }) => self.fail("second CONNACK"),
            (_, _) => self.fail("first packet is not CONNACK"),
        }
    }

    /// Sends again what the last connection left unacknowledged; DUP tells only a server that may know it.
    fn resend(&mut self, session_present: bool, now_us: u64) {
        for in_flight in self.session.in_flight() {
            let Publication { topic, payload, .. } = &in_flight.publication;
            encode::publish(topic, payload, Some(in_flight.id), session_present, &mut self.output);
            self.last_sent_us = now_us;
        }
    }

    fn launch(&mut self, now_us: u64) {
        while self.link == Link::Up && !self.held {
            let Some(sent) = self.session.launch() else { return };
            let Publication { topic, payload, tag, .. } = &sent.publication;
            encode::publish(topic, payload, sent.id, false, &mut self.output);
            self.last_sent_us = now_us;
            if sent.id.is_none() {
                self.events.push_back(Event::Done { tag: *tag });
            }
        }
    }

    fn send(&mut self, packet: &ClientPacket<'_>, now_us: u64) {
        encode::packet(packet, &mut self.output);
        self.last_sent_us = now_us;
    }

    fn fail(&mut self, reason: &str) {
        self.transport_lost();
        self.events.push_back(Event::Broken { reason: reason.to_string() });
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
