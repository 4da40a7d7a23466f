//! One accepted TCP connection, whatever the medium below: what stands at its far end, and what waits for
//! the device. TLS to the hub ends here.

use std::collections::VecDeque;

use hilarm_model::{ConnectionId, Now, PeerFacts, TlsVersion};
use hilarm_tls::{TlsError, TlsSession};

use crate::flow::FlowNumber;
use crate::world::{Ends, Key, Owner, World};
use crate::{Ended, HubService, LinkId, NetworkFact, Output, Standing, StreamId};

/// While more than this waits for the device, nothing more is taken from it: its window closes.
const OUTGOING_HIGH_WATER: usize = 64 * 1024;
/// When more than this would wait for the device, the connection is given up. Four of the largest messages.
const OUTGOING_MAX: usize = 1024 * 1024;

/// How the peer facts of a connection to the hub come about.
pub(crate) enum Proof {
    /// By a TLS handshake.
    Handshake,
    /// By the sim device's word.
    Stated { client_chain: Vec<Vec<u8>>, sni: Option<String> },
}

enum FarEnd {
    Handshaking(Box<TlsSession>),
    Secured(Box<TlsSession>, ConnectionId),
    Plain(ConnectionId),
    Sink,
    Served(StreamId),
    Nothing,
}

pub(crate) struct Connection {
    ends: Ends,
    key: Key,
    flow: FlowNumber,
    far: FarEnd,
    outgoing: VecDeque<u8>,
    ended: Option<Ended>,
}

impl Connection {
    pub(crate) fn open(
        ends: Ends,
        key: Key,
        flow: FlowNumber,
        standing: Standing,
        proof: Proof,
        world: &mut World,
    ) -> Self {
        let (Ends { link, local, remote }, told) = (ends, standing.clone());
        world.tell(NetworkFact::ConnectionOpened { link, local, remote, standing: told });
        let mut connection =
            Self { ends, key, flow, far: FarEnd::Nothing, outgoing: VecDeque::new(), ended: None };
        match standing {
            Standing::Hub => connection.open_hub(proof, world),
            Standing::Sink => {
                world.sinks.connected(remote);
                connection.far = FarEnd::Sink;
            }
            Standing::Served(endpoint) => {
                let stream = world.new_stream(link, key);
                world.emit(Output::ServedOpened { stream, endpoint, link });
                connection.far = FarEnd::Served(stream);
            }
        }
        connection
    }

    fn open_hub(&mut self, proof: Proof, world: &mut World) {
        match proof {
            Proof::Stated { client_chain, sni } => {
                let address = world.seen_from_outside(&self.ends);
                let (version, suite) = (TlsVersion::Stated, "none".to_string());
                let facts = PeerFacts { address, sni, client_chain, version, suite };
                self.far = FarEnd::Plain(announce(&self.ends, self.key, facts, world));
            }
            Proof::Handshake => match start_session(&self.ends, world) {
                Ok(session) => self.far = FarEnd::Handshaking(Box::new(session)),
                Err(error) => self.fail(&error, world),
            },
        }
    }

    /// Whether the device may send more now.
    pub(crate) fn takes_input(&self) -> bool {
        self.outgoing.len() < OUTGOING_HIGH_WATER
    }

    /// What waits for the device.
    pub(crate) fn outgoing(&mut self) -> &mut VecDeque<u8> {
        &mut self.outgoing
    }

    /// How it ended, if it has; what waits for the device is still to be delivered.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Takes stream bytes of the device.
    pub(crate) fn receive(&mut self, bytes: &[u8], world: &mut World, now: Now) {
        world.flows.count(self.flow, 0, bytes.len(), now.mono);
        if self.ended.is_some() {
            return;
        }
        match &self.far {
            FarEnd::Handshaking(_) | FarEnd::Secured(..) => self.receive_tls(bytes, world, now),
            FarEnd::Plain(connection) => to_hub(self.ends.link, *connection, bytes.to_vec(), world),
            FarEnd::Sink => world.sinks.record(self.ends.remote, bytes),
            FarEnd::Served(stream) => {
                world.emit(Output::ServedReceived { stream: *stream, bytes: bytes.to_vec() });
            }
            FarEnd::Nothing => {}
        }
    }

    fn receive_tls(&mut self, bytes: &[u8], world: &mut World, now: Now) {
        let (FarEnd::Handshaking(session) | FarEnd::Secured(session, _)) = &mut self.far else { return };
        let received = session.receive(bytes);
        self.finish_handshake(world);
        if let FarEnd::Secured(session, connection) = &mut self.far {
            while let Some(plaintext) = session.poll_plaintext() {
                to_hub(self.ends.link, *connection, plaintext, world);
            }
        }
        self.seal(world, now);
        match received {
            Err(error) => self.fail(&error, world),
            Ok(()) => self.follow_close_notify(world, now),
        }
    }

    fn finish_handshake(&mut self, world: &mut World) {
        let address = world.seen_from_outside(&self.ends);
        self.far = match std::mem::replace(&mut self.far, FarEnd::Nothing) {
            FarEnd::Handshaking(session) => match session.facts(address) {
                Some(facts) => FarEnd::Secured(session, announce(&self.ends, self.key, facts, world)),
                None => FarEnd::Handshaking(session),
            },
            other => other,
        };
    }

    fn follow_close_notify(&mut self, world: &mut World, now: Now) {
        if let FarEnd::Handshaking(session) | FarEnd::Secured(session, _) = &mut self.far
            && session.peer_closed()
        {
            session.close();
            self.seal(world, now);
            self.end(Ended::ByDevice, world);
        }
    }

    /// Takes plaintext for the device from the hub or the endpoint.
    pub(crate) fn send(&mut self, bytes: &[u8], world: &mut World, now: Now) {
        if self.ended.is_some() {
            return;
        }
        match &mut self.far {
            FarEnd::Secured(session, _) => {
                if let Err(error) = session.send(bytes) {
                    return self.fail(&error, world);
                }
                count_plaintext(self.ends.link, 0, bytes.len(), world);
                self.seal(world, now);
            }
            FarEnd::Plain(_) => {
                count_plaintext(self.ends.link, 0, bytes.len(), world);
                self.queue(bytes, world, now);
            }
            FarEnd::Served(_) => self.queue(bytes, world, now),
            FarEnd::Handshaking(_) | FarEnd::Sink | FarEnd::Nothing => {}
        }
    }

    /// The hub or the endpoint ends the connection.
    pub(crate) fn close(&mut self, world: &mut World, now: Now) {
        if self.ended.is_some() {
            return;
        }
        if let FarEnd::Handshaking(session) | FarEnd::Secured(session, _) = &mut self.far {
            session.close();
            self.seal(world, now);
        }
        self.end(Ended::ByRemote, world);
    }

    /// The device ended the connection, or it broke.
    pub(crate) fn device_ended(&mut self, world: &mut World) {
        self.end(Ended::ByDevice, world);
    }

    /// More waits for the device than its medium can hold.
    pub(crate) fn overflow(&mut self, world: &mut World) {
        self.outgoing.clear();
        self.end(Ended::Overflowed, world);
    }

    fn seal(&mut self, world: &mut World, now: Now) {
        let mut ciphertext = Vec::new();
        if let FarEnd::Handshaking(session) | FarEnd::Secured(session, _) = &mut self.far {
            while let Some(bytes) = session.poll_transmit() {
                ciphertext.extend_from_slice(&bytes);
            }
        }
        self.queue(&ciphertext, world, now);
    }

    fn queue(&mut self, bytes: &[u8], world: &mut World, now: Now) {
        if bytes.is_empty() {
            return;
        }
        if self.outgoing.len() + bytes.len() > OUTGOING_MAX {
            return self.overflow(world);
        }
        self.outgoing.extend(bytes);
        world.flows.count(self.flow, bytes.len(), 0, now.mono);
    }

    fn fail(&mut self, error: &TlsError, world: &mut World) {
        let Ends { link, local, .. } = self.ends;
        if self.ended.is_none() {
            world.tell(NetworkFact::TlsFailed { link, local, error: error.to_string() });
        }
        self.end(Ended::TlsFailed, world);
    }

    fn end(&mut self, ended: Ended, world: &mut World) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(ended);
        self.let_go(ended, world);
        let Ends { link, local, remote } = self.ends;
        let (bytes_in, bytes_out) = world.flows.bytes(self.flow);
        world.tell(NetworkFact::ConnectionEnded { link, local, remote, ended, bytes_in, bytes_out });
    }

    /// Tells the far end, unless it was the one who ended it.
    fn let_go(&self, ended: Ended, world: &mut World) {
        let (owner, output) = match &self.far {
            FarEnd::Secured(_, connection) | FarEnd::Plain(connection) => {
                (Owner::Hub(*connection), Output::HubClosed { connection: *connection })
            }
            FarEnd::Served(stream) => (Owner::Served(*stream), Output::ServedClosed { stream: *stream }),
            FarEnd::Handshaking(_) | FarEnd::Sink | FarEnd::Nothing => return,
        };
        world.disown(owner);
        if ended != Ended::ByRemote {
            world.emit(output);
        }
    }
}

/// The same session for the same seed, link and place in the link's order of connections.
fn start_session(ends: &Ends, world: &mut World) -> Result<TlsSession, TlsError> {
    let ordinal = world.attached_mut(ends.link).map_or(0, |attached| {
        attached.sessions += 1;
        attached.sessions
    });
    let name = format!("network tls {} {ordinal}", ends.link.0);
    TlsSession::seeded(&world.config.tls, world.seed, &name)
}

fn announce(ends: &Ends, key: Key, facts: PeerFacts, world: &mut World) -> ConnectionId {
    let link = ends.link;
    let connection = world.new_connection(link, key);
    // Only an address with a listener leads here.
    let service = world.routes.hub_service(ends.remote).unwrap_or(HubService::Mqtt);
    world.emit(Output::HubOpened { connection, link, service, facts });
    connection
}

fn to_hub(link: LinkId, connection: ConnectionId, bytes: Vec<u8>, world: &mut World) {
    count_plaintext(link, bytes.len(), 0, world);
    world.emit(Output::HubReceived { connection, bytes });
}

fn count_plaintext(link: LinkId, to_hub: usize, from_hub: usize, world: &mut World) {
    if let Some(attached) = world.attached_mut(link) {
        attached.plaintext_in += to_hub as u64;
        attached.plaintext_out += from_hub as u64;
    }
}
