//! MQTT 3.1.1 as an adapter on the core: connections, sessions, and the translation of packets into
//! requests of an identity. It judges the protocol and topic permissions; the core judges everything else.
//!
//! `codec` bytes and packets; `connect` CONNECT; `client` packets after it; `deliver` what the hub sends on
//! its own; `session` what outlives a connection; `topic`, `property_bag`, `user_name` the texts.

mod client;
#[cfg(test)]
pub(crate) mod client_packets;
mod codec;
mod connect;
mod deliver;
mod property_bag;
mod session;
#[cfg(test)]
mod tests;
mod topic;
mod user_name;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hilarm_model::{
    CloseReason, ConnectionId, HubEvent, Monotonic, Now, Operation, PeerFacts, Protocol, Timestamp,
};

use self::codec::{Packet, Violation, decode, split};
use self::session::Session;
use crate::core::Core;
use crate::core::registry::ClientIdentity;
use crate::core::throttle::Throttled;
use crate::core::timers::Timers;
use crate::hub::Output;

/// Evidence of a violation: so many bytes of the packet at most.
const EVIDENCE_BYTES_MAX: usize = 32;
/// Of a CONNECT only what cannot reach its password.
const EVIDENCE_BYTES_MAX_OF_CONNECT: usize = 12;

/// All MQTT connections and sessions.
#[derive(Debug)]
pub(crate) struct Mqtt {
    connections: BTreeMap<ConnectionId, Connection>,
    online: BTreeMap<ClientIdentity, ConnectionId>,
    sessions: BTreeMap<ClientIdentity, Session>,
    timers: Timers<MqttTimer>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MqttTimer {
    /// Nothing, or not enough, was heard.
    Silence(ConnectionId),
    /// The token expired and its grace passed.
    Token(ConnectionId),
}

#[derive(Debug)]
struct Connection {
    facts: PeerFacts,
    /// The beginning of a packet whose end has not arrived.
    pending: Vec<u8>,
    /// When the last whole packet arrived.
    last_heard: Monotonic,
    /// Where the silence timer stands. It is moved when it falls due, not at every packet.
    silence_timer: Monotonic,
    /// Who was let in; `None` before CONNECT.
    client: Option<Client>,
}

#[derive(Debug)]
struct Client {
    identity: ClientIdentity,
    /// The identity's events topic, without a bag.
    events_topic: String,
    clean_session: bool,
    /// The longest silence allowed.
    silence_max: Duration,
    token_timer: Option<Timestamp>,
    will: Option<OwnedWill>,
}

#[derive(Debug)]
struct OwnedWill {
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

/// How a packet ended its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Violated(Violation),
    Closed(CloseReason),
}

impl From<Violation> for Ending {
    fn from(violation: Violation) -> Self {
        Self::Violated(violation)
    }
}

impl Mqtt {
    pub(crate) fn new() -> Self {
        Self {
            connections: BTreeMap::new(),
            online: BTreeMap::new(),
            sessions: BTreeMap::new(),
            timers: Timers::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self, now: Now) -> Option<Monotonic> {
        self.timers.next(now)
    }

    pub(crate) fn opened(&mut self, core: &Core, id: ConnectionId, facts: PeerFacts, now: Now) {
        let silence_timer = now.mono + core.config.connect_timeout;
        self.timers.set(silence_timer, MqttTimer::Silence(id));
        let last_heard = now.mono;
        let connection = Connection { facts, pending: Vec::new(), last_heard, silence_timer, client: None };
        self.connections.insert(id, connection);
    }

    /// The transport ended by itself.
    pub(crate) fn closed(&mut self, core: &mut Core, id: ConnectionId, now: Now) {
        self.end(core, id, CloseReason::TransportClosed, now);
    }

    /// Bytes for a connection that the hub has closed meanwhile mean nothing.
    pub(crate) fn received(&mut self, core: &mut Core, id: ConnectionId, bytes: &[u8], now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.pending.is_empty() {
            let consumed = self.consume(core, id, bytes, now);
            self.keep(id, bytes.get(consumed..).unwrap_or_default().to_vec());
        } else {
            let mut pending = std::mem::take(&mut connection.pending);
            pending.extend_from_slice(bytes);
            let consumed = self.consume(core, id, &pending, now);
            pending.drain(..consumed);
            self.keep(id, pending);
        }
    }

    fn keep(&mut self, id: ConnectionId, rest: Vec<u8>) {
        if rest.is_empty() {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.pending = rest;
        }
    }

    /// Handles every whole packet; says how many bytes they had. After an ending nothing is left.
    fn consume(&mut self, core: &mut Core, id: ConnectionId, bytes: &[u8], now: Now) -> usize {
        let mut rest = bytes;
        loop {
            let (outcome, evidence) = match split(rest, core.config.packet_bytes_max) {
                Ok(None) => return bytes.len() - rest.len(),
                Ok(Some(frame)) => {
                    rest = rest.get(frame.whole.len()..).unwrap_or_default();
                    let packet = decode(frame).map_err(Ending::from);
                    (packet.and_then(|packet| self.handle(core, id, packet, now)), frame.whole)
                }
                Err(violation) => (Err(violation.into()), rest),
            };
            match outcome {
                Ok(()) => {}
                Err(Ending::Violated(violation)) => {
                    self.violated(core, id, violation, evidence, now);
                    return bytes.len();
                }
                Err(Ending::Closed(reason)) => {
                    self.close(core, id, reason, now);
                    return bytes.len();
                }
            }
        }
    }

    fn handle(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        packet: Packet<'_>,
        now: Now,
    ) -> Result<(), Ending> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.last_heard = now.mono;
        match (&connection.client, packet) {
            (Some(client), Packet::Publish(publish)) => {
                let sessions = &self.sessions;
                client::publish(core, client, sessions, id, &publish, &mut self.outputs, now)
            }
            (None, Packet::Connect(connect)) => self.connect(core, id, &connect, now),
            (None, Packet::ConnectOtherLevel(level)) => Err(self.refuse_level(core, id, level, now)),
            (None, _) => Err(Violation::FirstPacketNotConnect.into()),
            (Some(_), Packet::Connect(_) | Packet::ConnectOtherLevel(_)) => {
                Err(Violation::SecondConnect.into())
            }
            (Some(client), packet) => {
                let identity = client.identity.clone();
                self.handle_client(core, id, &identity, packet, now)
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, core: &mut Core, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                MqttTimer::Silence(id) => self.silent(core, id, now),
                MqttTimer::Token(id) => self.close(core, id, CloseReason::TokenExpired, now),
            }
        }
    }

    /// The silence timer fell due: perhaps packets arrived since it was set.
    fn silent(&mut self, core: &mut Core, id: ConnectionId, now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(client) = &connection.client else {
            return self.close(core, id, CloseReason::ConnectTimeout, now);
        };
        let deadline = connection.last_heard + client.silence_max;
        if deadline <= now.mono {
            return self.close(core, id, CloseReason::KeepAliveExpired, now);
        }
        connection.silence_timer = deadline;
        self.timers.set(deadline, MqttTimer::Silence(id));
    }

    fn violated(&mut self, core: &mut Core, id: ConnectionId, violation: Violation, bytes: &[u8], now: Now) {
        if let Some(connection) = self.connections.get(&id) {
            let is_connect = bytes.first().is_some_and(|head| head >> 4 == 1);
            let keep = if is_connect { EVIDENCE_BYTES_MAX_OF_CONNECT } else { EVIDENCE_BYTES_MAX };
            let event = HubEvent::ProtocolViolated {
                connection: id,
                device: connection.client.as_ref().map(|client| client.identity.device.clone()),
                peer: connection.facts.address,
                violation: violation.to_string(),
                bytes_hex: hex::encode(bytes.get(..keep).unwrap_or(bytes)),
            };
            core.record(event, now);
        }
        self.close(core, id, CloseReason::ProtocolViolated, now);
    }

    /// Ends a connection from the hub's side.
    fn close(&mut self, core: &mut Core, id: ConnectionId, reason: CloseReason, now: Now) {
        if self.end(core, id, reason, now) {
            self.outputs.push_back(Output::Close { connection: id });
        }
    }

    /// Forgets a connection, hands out its will, records its end; false when it was unknown.
    fn end(&mut self, core: &mut Core, id: ConnectionId, reason: CloseReason, now: Now) -> bool {
        let Some(connection) = self.connections.remove(&id) else { return false };
        self.timers.clear(connection.silence_timer, MqttTimer::Silence(id));
        let client = connection.client.map(|client| self.end_client(core, id, client, reason, now));
        core.record(HubEvent::ConnectionClosed { connection: id, device: client, reason }, now);
        true
    }

    fn end_client(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        client: Client,
        reason: CloseReason,
        now: Now,
    ) -> hilarm_model::DeviceId {
        if let Some(at) = client.token_timer {
            self.timers.clear_calendar(at, MqttTimer::Token(id));
        }
        self.online.remove(&client.identity);
        core.disconnected(&client.identity, Protocol::Mqtt, reason, now);
        if client.clean_session {
            self.sessions.remove(&client.identity);
        }
        if !matches!(reason, CloseReason::Disconnected | CloseReason::IdentityChanged) {
            hand_out_will(core, &client, now);
        }
        client.identity.device
    }
}

/// A will becomes telemetry of the identity as far as throttle and quota let it; to any other topic it has no right.
fn hand_out_will(core: &mut Core, client: &Client, now: Now) {
    let Some(will) = &client.will else { return };
    let device = client.identity.device.clone();
    match topic::publish(&will.topic, &client.events_topic) {
        Some(topic::PublishTopic::Events { bag }) => {
            if let Err(why) = core.admit(Throttled::Telemetry, will.payload.len(), now) {
                let operation = Operation::Publish { topic: will.topic.clone() };
                return core.request_refused(&client.identity, operation, why.code(), now);
            }
            let mut message = property_bag::message(bag, &will.payload, false);
            message.application.push(("iothub-MessageType".into(), Some("Will".into())));
            client::mark_retained(&mut message, will.retain);
            core.receive(&client.identity, Protocol::Mqtt, &message, now);
        }
        _ => {
            let operation = Operation::Publish { topic: will.topic.clone() };
            core.record(HubEvent::OperationRefused { device, operation }, now);
        }
    }
}
