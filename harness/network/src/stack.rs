//! The TCP of everything outside, as one Ethernet device meets it: a smoltcp interface that answers for any
//! address. Each connection has its own listening socket, made when its SYN arrives.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hilarm_model::{Monotonic, Now};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, IpListenEndpoint};

use crate::config::PREFIX_LEN;
use crate::connection::{Connection, Proof};
use crate::flow::FlowNumber;
use crate::frame::{self, FRAME_BYTES_MAX};
use crate::wire::Direction;
use crate::world::{Ends, Key, World};
use crate::{Ended, GATEWAY, GATEWAY_MAC, LinkId, Standing};

/// Receive and transmit window of one connection.
const BUFFER_BYTES: usize = 16 * 1024;
/// Connections of one device at once, those in TIME-WAIT included.
const CONNECTIONS_MAX: usize = 256;
/// How long a handshake, or a close, may wait for a device that says nothing. smoltcp's time-out would also
/// end idle connections, so an open connection has none: the hub's keep-alive watches over it.
const SILENCE_MAX: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(120);
/// smoltcp forgets a neighbour after 60 s and would then ask by ARP.
const NEIGHBOUR_REFRESH: Duration = Duration::from_secs(30);
/// The least time between two visits that nothing but the stack itself asks for, lest time stand still.
const VISIT_MIN: Duration = Duration::from_millis(1);

pub(crate) struct TcpStack {
    link: LinkId,
    interface: Interface,
    port: Port,
    sockets: SocketSet<'static>,
    streams: BTreeMap<Key, Stream>,
    by_ends: BTreeMap<(SocketAddrV4, SocketAddrV4), Key>,
    device: ([u8; 6], Ipv4Addr),
    neighbour_until: Option<Monotonic>,
    next: Option<Monotonic>,
}

struct Stream {
    handle: SocketHandle,
    ends: Ends,
    flow: FlowNumber,
    standing: Standing,
    connection: Option<Connection>,
    closing: bool,
}

impl TcpStack {
    pub(crate) fn new(link: LinkId, device: ([u8; 6], Ipv4Addr), seed: u64) -> Self {
        let mut port = Port::default();
        let mut config = Config::new(EthernetAddress(GATEWAY_MAC).into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut port, Instant::ZERO);
        // A fresh interface has room for one address and one route.
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(GATEWAY), PREFIX_LEN));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(GATEWAY);
        interface.set_any_ip(true);
        let (streams, by_ends) = (BTreeMap::new(), BTreeMap::new());
        let sockets = SocketSet::new(Vec::new());
        Self { link, interface, port, sockets, streams, by_ends, device, neighbour_until: None, next: None }
    }

    /// Whether a connection between these ends is alive.
    pub(crate) fn holds(&self, local: SocketAddrV4, remote: SocketAddrV4) -> bool {
        let stream = self.by_ends.get(&(local, remote)).and_then(|key| self.streams.get(key));
        stream.is_some_and(|stream| {
            let state = self.sockets.get::<Socket<'_>>(stream.handle).state();
            !matches!(state, State::TimeWait | State::Closed)
        })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.streams.len() >= CONNECTIONS_MAX
    }

    /// Prepares for the SYN that is about to be ingested.
    pub(crate) fn expect(&mut self, key: Key, ends: Ends, flow: FlowNumber, standing: Standing) {
        if let Some(old) = self.by_ends.remove(&(ends.local, ends.remote)) {
            self.remove(old);
        }
        let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_timeout(Some(SILENCE_MAX));
        let address = Some(IpAddress::Ipv4(*ends.remote.ip()));
        if socket.listen(IpListenEndpoint { addr: address, port: ends.remote.port() }).is_err() {
            return;
        }
        let handle = self.sockets.add(socket);
        let stream = Stream { handle, ends, flow, standing, connection: None, closing: false };
        self.streams.insert(key, stream);
        self.by_ends.insert((ends.local, ends.remote), key);
    }

    /// Takes a TCP frame of the device.
    pub(crate) fn ingest(&mut self, frame: Vec<u8>, world: &mut World, now: Now) {
        self.port.inbound.push_back(frame);
        self.run(world, now);
    }

    /// Does something to a connection, then what follows from it.
    pub(crate) fn with(
        &mut self,
        key: Key,
        world: &mut World,
        now: Now,
        act: impl FnOnce(&mut Connection, &mut World),
    ) {
        if let Some(connection) = self.streams.get_mut(&key).and_then(|stream| stream.connection.as_mut()) {
            act(connection, world);
            self.run(world, now);
        }
    }

    pub(crate) fn next_visit(&self) -> Option<Monotonic> {
        self.next
    }

    /// Moves bytes until nothing moves, and sends what came of it.
    pub(crate) fn run(&mut self, world: &mut World, now: Now) {
        let at = instant(now.mono);
        self.refresh_neighbour(now.mono);
        loop {
            self.interface.poll(at, &mut self.port, &mut self.sockets);
            let moved = self.pump(world, now);
            if !moved && self.port.inbound.is_empty() {
                break;
            }
        }
        let visit = self.interface.poll_at(at, &self.sockets);
        self.next = visit.map(|visit| monotonic(visit).max(now.mono + VISIT_MIN));
        self.transmit(world, now);
    }

    /// Only TCP leaves: the neighbour is known without asking, and an ARP question would be noise.
    fn transmit(&mut self, world: &mut World, now: Now) {
        for frame in std::mem::take(&mut self.port.outbound) {
            if matches!(frame::read(&frame), Ok(frame::Contents::Tcp { .. })) {
                world.carry(self.link, Direction::ToDevice, frame, now);
            }
        }
    }

    fn refresh_neighbour(&mut self, now: Monotonic) {
        if self.neighbour_until.is_none_or(|until| until <= now) {
            self.port.inbound.push_front(frame::arp_reply(self.device, (GATEWAY_MAC, GATEWAY)));
            self.neighbour_until = Some(now + NEIGHBOUR_REFRESH);
        }
    }

    fn pump(&mut self, world: &mut World, now: Now) -> bool {
        let mut moved = false;
        let keys: Vec<Key> = self.streams.keys().copied().collect();
        for key in keys {
            let Some(stream) = self.streams.get_mut(&key) else { continue };
            let socket = self.sockets.get_mut::<Socket<'_>>(stream.handle);
            moved |= stream.pump(key, socket, world, now);
            if stream.is_over(socket) {
                self.remove(key);
                moved = true;
            }
        }
        moved
    }

    fn remove(&mut self, key: Key) {
        if let Some(stream) = self.streams.remove(&key) {
            self.sockets.remove(stream.handle);
            let ends = (stream.ends.local, stream.ends.remote);
            if self.by_ends.get(&ends) == Some(&key) {
                self.by_ends.remove(&ends);
            }
        }
    }
}

impl Stream {
    /// Moves bytes between the socket and the connection; whether anything changed.
    fn pump(&mut self, key: Key, socket: &mut Socket<'static>, world: &mut World, now: Now) -> bool {
        if matches!(socket.state(), State::Listen | State::SynReceived) {
            return false;
        }
        let mut moved = false;
        if self.connection.is_none() {
            // A handshake that broke off was no connection.
            if socket.state() == State::Closed {
                return false;
            }
            socket.set_timeout(None);
            let (ends, standing) = (self.ends, self.standing.clone());
            self.connection = Some(Connection::open(ends, key, self.flow, standing, Proof::Handshake, world));
            moved = true;
        }
        let Some(connection) = &mut self.connection else { return moved };
        moved |= take_in(connection, socket, world, now);
        if !socket.may_recv() && !socket.can_recv() && connection.ended().is_none() {
            connection.device_ended(world);
            moved = true;
        }
        moved |= hand_out(connection, socket);
        moved | self.follow_end(socket)
    }

    /// Once a connection has ended and nothing waits, its socket closes too; what overflowed is reset.
    fn follow_end(&mut self, socket: &mut Socket<'static>) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let Some(ended) = connection.ended() else { return false };
        socket.set_timeout(Some(SILENCE_MAX));
        if self.closing || !connection.outgoing().is_empty() {
            return false;
        }
        self.closing = true;
        match ended {
            Ended::Overflowed => socket.abort(),
            Ended::ByDevice | Ended::ByRemote | Ended::TlsFailed => socket.close(),
        }
        true
    }

    fn is_over(&self, socket: &Socket<'static>) -> bool {
        // A socket that was reset keeps its ends until the reset is sent.
        match socket.state() {
            State::Listen => true,
            State::Closed => socket.remote_endpoint().is_none(),
            _ => false,
        }
    }
}

fn take_in(connection: &mut Connection, socket: &mut Socket<'static>, world: &mut World, now: Now) -> bool {
    let mut moved = false;
    while socket.can_recv() && connection.takes_input() {
        let Ok(bytes) = socket.recv(|bytes| (bytes.len(), bytes.to_vec())) else { break };
        connection.receive(&bytes, world, now);
        moved = true;
    }
    moved
}

fn hand_out(connection: &mut Connection, socket: &mut Socket<'static>) -> bool {
    let mut moved = false;
    let outgoing = connection.outgoing();
    if !socket.may_send() {
        // Nobody is left to read it.
        outgoing.clear();
    }
    while socket.can_send() && !outgoing.is_empty() {
        let Ok(sent @ 1..) = socket.send_slice(outgoing.as_slices().0) else { break };
        outgoing.drain(..sent);
        moved = true;
    }
    moved
}

/// The interface's network card: two queues.
#[derive(Debug, Default)]
struct Port {
    inbound: VecDeque<Vec<u8>>,
    outbound: Vec<Vec<u8>>,
}

struct Arrived(Vec<u8>);

struct Leaving<'a>(&'a mut Vec<Vec<u8>>);

impl Device for Port {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Leaving<'_>)> {
        let frame = self.inbound.pop_front()?;
        Some((Arrived(frame), Leaving(&mut self.outbound)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.outbound))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities
    }
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}

fn instant(at: Monotonic) -> Instant {
    Instant::from_micros(i64::try_from(at.as_micros()).unwrap_or(i64::MAX))
}

fn monotonic(at: Instant) -> Monotonic {
    Monotonic::from_micros(u64::try_from(at.total_micros()).unwrap_or(0))
}
