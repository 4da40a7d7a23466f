//! A sim device, which has no TCP/IP stack: the same names, endpoints and faults by socket requests, without
//! TLS. A request travels one latency to the network and its answer one latency back, as a SYN and its answer
//! would. A lost segment costs its stream one retransmission time-out; a partition holds everything back until
//! it heals or the device gives up.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hilarm_model::Now;

use crate::connection::{Connection, Proof};
use crate::dns;
use crate::flow::FlowProtocol;
use crate::loss::{Lane, Part};
use crate::route::{Route, canonical};
use crate::wire::Direction;
use crate::world::{Ends, Key, Transit, World};
use crate::{Dropped, Ended, Endpoint, LinkId, LinkInput, LinkOutput, NetworkFact, SocketId, Standing};

/// What a lost segment costs.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// Losses of one segment in a row, at most.
const LOSSES_IN_A_ROW_MAX: u32 = 16;
const SEGMENT_BYTES: usize = 1460;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of one device at once.
const CONNECTIONS_MAX: usize = 256;
/// What a partition may hold back before the connections behind it are given up.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;
const FIRST_PORT: u16 = 49_152;

/// From the device to the network.
#[derive(Debug)]
pub(crate) enum Request {
    Resolve { key: Key, local: SocketAddrV4, name: String },
    Open { key: Key, ends: Ends, client_chain: Vec<Vec<u8>>, sni: Option<String> },
    Data { key: Key, bytes: Vec<u8> },
    Close { key: Key },
}

/// From the network to the device.
#[derive(Debug)]
pub(crate) enum Answer {
    Resolved { key: Key, address: Option<Ipv4Addr> },
    Opened { key: Key },
    Received { key: Key, bytes: Vec<u8> },
    Closed { key: Key, reason: &'static str },
}

/// When the device gives up waiting.
#[derive(Debug)]
pub(crate) enum Deadline {
    Resolve(Key),
    Open(Key),
}

pub(crate) struct SocketLink {
    link: LinkId,
    address: Ipv4Addr,
    ports_used: u16,
    query_ports_used: u16,
    by_socket: BTreeMap<SocketId, Key>,
    sockets: BTreeMap<Key, DeviceEnd>,
    queries: BTreeMap<Key, Query>,
    connections: BTreeMap<Key, Connection>,
    offsets: BTreeMap<(Key, Direction), u64>,
    held: VecDeque<(Direction, Transit)>,
    held_bytes: usize,
}

/// What the device knows of its socket.
struct DeviceEnd {
    socket: SocketId,
    ends: Ends,
    open: bool,
}

/// A look-up under way.
struct Query {
    /// The device's number.
    number: u32,
    local: SocketAddrV4,
    bytes: usize,
}

impl SocketLink {
    pub(crate) fn new(link: LinkId, address: Ipv4Addr) -> Self {
        Self {
            link,
            address,
            ports_used: 0,
            query_ports_used: 0,
            by_socket: BTreeMap::new(),
            sockets: BTreeMap::new(),
            queries: BTreeMap::new(),
            connections: BTreeMap::new(),
            offsets: BTreeMap::new(),
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// The device asks for something.
    pub(crate) fn request(&mut self, input: LinkInput, world: &mut World, now: Now) {
        match input {
            LinkInput::Frame(_) => world.dropped(self.link, Direction::FromDevice, Dropped::Protocol),
            LinkInput::Resolve { query, name } => self.resolve(query, name, world, now),
            LinkInput::Open { socket, remote, client_chain, sni } => {
                self.open(socket, remote, client_chain, sni, world, now);
            }
            LinkInput::Send { socket, bytes } => {
                if let Some(key) = self.by_socket.get(&socket).copied() {
                    self.post(
                        Direction::FromDevice,
                        key,
                        Transit::Request(Request::Data { key, bytes }),
                        world,
                        now,
                    );
                }
            }
            LinkInput::Close { socket } => self.abandon(socket, world, now),
        }
    }

    fn resolve(&mut self, query: u32, name: String, world: &mut World, now: Now) {
        let key = world.next_key();
        let local = SocketAddrV4::new(self.address, FIRST_PORT + self.query_ports_used);
        self.query_ports_used = (self.query_ports_used + 1) % (u16::MAX - FIRST_PORT);
        let bytes = dns::query_bytes(&name);
        self.queries.insert(key, Query { number: query, local, bytes });
        self.name_datagram(local, (0, bytes), world);
        world.wire.at(self.link, now.mono + RESOLVE_TIMEOUT, Transit::Deadline(Deadline::Resolve(key)));
        let request = Request::Resolve { key, local, name };
        self.post(Direction::FromDevice, key, Transit::Request(request), world, now);
    }

    fn name_datagram(&self, local: SocketAddrV4, (bytes_in, bytes_out): (usize, usize), world: &mut World) {
        let seen = LinkOutput::NameDatagram { local, remote: dns::SERVER, bytes_in, bytes_out };
        world.hand_to_device(self.link, seen);
    }

    fn open(
        &mut self,
        socket: SocketId,
        remote: SocketAddrV4,
        client_chain: Vec<Vec<u8>>,
        sni: Option<String>,
        world: &mut World,
        now: Now,
    ) {
        // A number used again means that the device has forgotten what it was.
        self.abandon(socket, world, now);
        let key = world.next_key();
        let local = SocketAddrV4::new(self.address, FIRST_PORT + self.ports_used);
        self.ports_used = (self.ports_used + 1) % (u16::MAX - FIRST_PORT);
        let ends = Ends { link: self.link, local, remote };
        self.by_socket.insert(socket, key);
        self.sockets.insert(key, DeviceEnd { socket, ends, open: false });
        world.hand_to_device(self.link, LinkOutput::Opening { socket, local });
        world.wire.at(self.link, now.mono + CONNECT_TIMEOUT, Transit::Deadline(Deadline::Open(key)));
        let request = Request::Open { key, ends, client_chain, sni };
        self.post(Direction::FromDevice, key, Transit::Request(request), world, now);
    }

    fn abandon(&mut self, socket: SocketId, world: &mut World, now: Now) {
        if let Some(key) = self.by_socket.remove(&socket) {
            self.post(Direction::FromDevice, key, Transit::Request(Request::Close { key }), world, now);
            self.sockets.remove(&key);
        }
    }

    /// A request arrived at the network.
    pub(crate) fn arrive(&mut self, request: Request, world: &mut World, now: Now) {
        match request {
            Request::Resolve { key, local, name } => {
                let address = world.routes.resolve(&name);
                let flow = world.flows.datagram(self.link, local, dns::SERVER, now.mono);
                let query = dns::query_bytes(&name);
                world.flows.count(flow, dns::reply_bytes(query, address), query, now.mono);
                let (link, name) = (self.link, canonical(&name));
                world.tell(NetworkFact::NameResolved { link, name, address });
                self.answer(key, Answer::Resolved { key, address }, world, now);
            }
            Request::Open { key, ends, client_chain, sni } => {
                self.accept(key, ends, Proof::Stated { client_chain, sni }, world, now);
            }
            Request::Data { key, bytes } => {
                self.with(key, world, now, |connection, world| connection.receive(&bytes, world, now));
            }
            Request::Close { key } => {
                if let Some(mut connection) = self.connections.remove(&key) {
                    connection.device_ended(world);
                }
                self.forget(key);
            }
        }
    }

    fn accept(&mut self, key: Key, ends: Ends, proof: Proof, world: &mut World, now: Now) {
        let Ends { link, local, remote } = ends;
        if self.connections.len() >= CONNECTIONS_MAX {
            return world.dropped(link, Direction::FromDevice, Dropped::ConnectionLimit);
        }
        let flow = world.flows.begin(link, FlowProtocol::Tcp, local, remote, now.mono);
        let standing = match world.routes.route(remote) {
            Route::Hub => Standing::Hub,
            Route::Endpoint(Endpoint::Sink) => Standing::Sink,
            Route::Endpoint(Endpoint::Served(name)) => Standing::Served(name),
            Route::Endpoint(Endpoint::Refuse) => {
                world.tell(NetworkFact::ConnectionRefused { link, local, remote });
                return self.answer(key, Answer::Closed { key, reason: "refused" }, world, now);
            }
            Route::Endpoint(Endpoint::BlackHole) => {
                return world.tell(NetworkFact::ConnectionSwallowed { link, local, remote });
            }
        };
        let connection = Connection::open(ends, key, flow, standing, proof, world);
        self.connections.insert(key, connection);
        self.answer(key, Answer::Opened { key }, world, now);
    }

    /// Does something to a connection, then what follows from it.
    pub(crate) fn with(
        &mut self,
        key: Key,
        world: &mut World,
        now: Now,
        act: impl FnOnce(&mut Connection, &mut World),
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        act(connection, world);
        if self.held_bytes > HELD_BYTES_MAX {
            connection.overflow(world);
        }
        let bytes = Vec::from(std::mem::take(connection.outgoing()));
        let ended = connection.ended();
        if !bytes.is_empty() {
            self.answer(key, Answer::Received { key, bytes }, world, now);
        }
        if let Some(ended) = ended {
            self.connections.remove(&key);
            let reason = if ended == Ended::Overflowed { "reset by peer" } else { "closed by peer" };
            self.answer(key, Answer::Closed { key, reason }, world, now);
        }
    }

    fn answer(&mut self, key: Key, answer: Answer, world: &mut World, now: Now) {
        self.post(Direction::ToDevice, key, Transit::Answer(answer), world, now);
    }

    /// An answer arrived at the device; what it is about may be gone by now.
    pub(crate) fn deliver(&mut self, answer: Answer, world: &mut World) {
        match answer {
            Answer::Resolved { key, address } => {
                if let Some(Query { number: query, local, bytes }) = self.queries.remove(&key) {
                    self.name_datagram(local, (dns::reply_bytes(bytes, address), 0), world);
                    world.hand_to_device(self.link, LinkOutput::Resolved { query, address });
                }
                self.forget(key);
            }
            Answer::Opened { key } => {
                if let Some(end) = self.sockets.get_mut(&key) {
                    end.open = true;
                    let (socket, local) = (end.socket, end.ends.local);
                    world.hand_to_device(self.link, LinkOutput::Opened { socket, local });
                }
            }
            Answer::Received { key, bytes } => {
                if let Some(end) = self.sockets.get(&key) {
                    world.hand_to_device(self.link, LinkOutput::Received { socket: end.socket, bytes });
                }
            }
            Answer::Closed { key, reason } => self.closed(key, reason, world),
        }
    }

    fn closed(&mut self, key: Key, reason: &'static str, world: &mut World) {
        if let Some(end) = self.sockets.remove(&key) {
            self.by_socket.remove(&end.socket);
            world.hand_to_device(self.link, LinkOutput::Closed { socket: end.socket, reason });
        }
        self.forget(key);
    }

    fn forget(&mut self, key: Key) {
        for direction in [Direction::FromDevice, Direction::ToDevice] {
            self.offsets.remove(&(key, direction));
        }
    }

    /// The device gives up on what has not been answered.
    pub(crate) fn expire(&mut self, deadline: &Deadline, world: &mut World, now: Now) {
        match deadline {
            Deadline::Resolve(key) => {
                if let Some(Query { number: query, .. }) = self.queries.remove(key) {
                    world.hand_to_device(self.link, LinkOutput::Resolved { query, address: None });
                }
            }
            Deadline::Open(key) => {
                if self.sockets.get(key).is_some_and(|end| !end.open) {
                    let close = Request::Close { key: *key };
                    self.post(Direction::FromDevice, *key, Transit::Request(close), world, now);
                    self.closed(*key, "timed out", world);
                }
            }
        }
    }

    /// The partition has healed: what it held back goes on its way.
    pub(crate) fn release(&mut self, world: &mut World, now: Now) {
        let due = now.mono + world.faults(self.link).latency;
        self.held_bytes = 0;
        for (direction, transit) in self.held.drain(..) {
            world.wire.send(self.link, direction, due, transit);
        }
    }

    fn post(&mut self, direction: Direction, key: Key, transit: Transit, world: &mut World, now: Now) {
        let faults = world.faults(self.link);
        let bytes = length(&transit);
        if faults.cuts() {
            world.dropped(self.link, direction, Dropped::Partition);
            self.held_bytes += bytes;
            self.held.push_back((direction, transit));
            return;
        }
        let lost = self.losses(direction, key, bytes, faults.loss_per_million, world);
        let due = now.mono + faults.latency + RETRANSMISSION * lost;
        world.wire.send(self.link, direction, due, transit);
    }

    /// How many transmissions were lost before all segments of this were through.
    fn losses(
        &mut self,
        direction: Direction,
        key: Key,
        bytes: usize,
        per_million: u32,
        world: &mut World,
    ) -> u32 {
        let lane = self.lane(direction, key);
        let offset = self.offsets.entry((key, direction)).or_default();
        let mut lost = 0;
        // Opening and closing take a segment and a place in the stream, as SYN and FIN do.
        for segment in 0..bytes.div_ceil(SEGMENT_BYTES).max(1) {
            let part = Part::Offset { offset: *offset + (segment * SEGMENT_BYTES) as u64 };
            let lost_in_a_row =
                (0..LOSSES_IN_A_ROW_MAX).take_while(|_| world.loss.takes(lane, part, per_million)).count();
            lost += lost_in_a_row as u32;
        }
        *offset += bytes.max(1) as u64;
        for _ in 0..lost {
            world.dropped(self.link, direction, Dropped::Loss);
        }
        lost
    }

    fn lane(&self, direction: Direction, key: Key) -> Lane {
        let link = self.link;
        match self.sockets.get(&key) {
            Some(DeviceEnd { ends: Ends { local, remote, .. }, .. }) => {
                Lane { link, direction, protocol: 6, local: *local, remote: *remote }
            }
            None => {
                let (local, remote) = (SocketAddrV4::new(self.address, 0), dns::SERVER);
                Lane { link, direction, protocol: 17, local, remote }
            }
        }
    }
}

fn length(transit: &Transit) -> usize {
    match transit {
        Transit::Request(Request::Data { bytes, .. }) | Transit::Answer(Answer::Received { bytes, .. }) => {
            bytes.len()
        }
        _ => 0,
    }
}
