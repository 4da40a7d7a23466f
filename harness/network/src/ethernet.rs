//! A device with an Ethernet interface: ARP for the gateway, name and time service, datagrams, and which TCP
//! connection attempts get through to the stack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use hilarm_model::{Monotonic, Now};

use crate::connection::Connection;
use crate::flow::FlowProtocol;
use crate::frame::{self, Contents};
use crate::route::Route;
use crate::stack::TcpStack;
use crate::wire::Direction;
use crate::world::{Ends, Key, World};
use crate::{Dropped, Endpoint, GATEWAY, LinkId, NetworkFact, Standing, TIME_SERVER, dhcp, dns, sntp};

const SNTP_PORT: u16 = 123;
/// Attempts remembered, so that a retransmitted SYN is not a second attempt.
const ATTEMPTS_MAX: usize = 4096;

pub(crate) struct EthernetLink {
    link: LinkId,
    mac: [u8; 6],
    address: Ipv4Addr,
    stack: TcpStack,
    attempts: BTreeMap<(SocketAddrV4, SocketAddrV4), u32>,
}

impl EthernetLink {
    pub(crate) fn new(link: LinkId, mac: [u8; 6], address: Ipv4Addr, seed: u64) -> Self {
        let stack = TcpStack::new(link, (mac, address), seed);
        Self { link, mac, address, stack, attempts: BTreeMap::new() }
    }

    /// A frame arrived at the network; the wire has carried only well-formed ones.
    pub(crate) fn arrive(&mut self, frame: Vec<u8>, world: &mut World, now: Now) {
        match frame::read(&frame) {
            Ok(Contents::ArpRequest { asked }) if asked == GATEWAY => {
                let reply = frame::gateway_arp_reply((self.mac, self.address));
                world.carry(self.link, Direction::ToDevice, reply, now);
            }
            Ok(Contents::Udp { from, to, payload }) if dhcp::is_lease(from, to) => {
                if let Some(reply) = dhcp::answer(payload, self.address) {
                    let (from, to) = dhcp::reply_ends();
                    let reply = frame::datagram(self.mac, from, to, &reply);
                    world.carry(self.link, Direction::ToDevice, reply, now);
                }
            }
            Ok(Contents::Udp { from, to, payload }) => self.datagram(from, to, payload, world, now),
            Ok(Contents::Tcp { from, to, syn, sequence, .. }) => {
                let ends = Ends { link: self.link, local: from, remote: to };
                if self.admits(ends, syn.then_some(sequence), world, now) {
                    self.stack.ingest(frame, world, now);
                }
            }
            Ok(Contents::ArpRequest { .. } | Contents::Arp) | Err(_) => {}
        }
    }

    pub(crate) fn with(
        &mut self,
        key: Key,
        world: &mut World,
        now: Now,
        act: impl FnOnce(&mut Connection, &mut World),
    ) {
        self.stack.with(key, world, now, act);
    }

    pub(crate) fn next_visit(&self) -> Option<Monotonic> {
        self.stack.next_visit()
    }

    pub(crate) fn visit(&mut self, world: &mut World, now: Now) {
        self.stack.run(world, now);
    }

    fn datagram(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: &[u8],
        world: &mut World,
        now: Now,
    ) {
        let flow = world.flows.datagram(self.link, from, to, now.mono);
        world.flows.count(flow, 0, payload.len(), now.mono);
        if let Some(reply) = self.serve(to, payload, world, now) {
            world.flows.count(flow, reply.len(), 0, now.mono);
            world.carry(self.link, Direction::ToDevice, frame::datagram(self.mac, to, from, &reply), now);
        }
    }

    fn serve(&self, to: SocketAddrV4, payload: &[u8], world: &mut World, now: Now) -> Option<Vec<u8>> {
        let link = self.link;
        if to == dns::SERVER {
            let answer = dns::answer(payload, &world.routes)?;
            if let Some((name, address)) = answer.told {
                world.tell(NetworkFact::NameResolved { link, name, address });
            }
            return Some(answer.reply);
        }
        if to == SocketAddrV4::new(TIME_SERVER, SNTP_PORT) {
            let reply = sntp::answer(payload, now.unix)?;
            world.tell(NetworkFact::TimeTold { link, unix_s: now.unix.as_secs() });
            return Some(reply);
        }
        if world.routes.route(to) == Route::Endpoint(Endpoint::Sink) {
            world.sinks.record(to, payload);
        }
        None
    }

    /// Whether the stack sees this segment. A refusal needs the stack too: it resets what nobody listens to.
    fn admits(&mut self, ends: Ends, syn: Option<u32>, world: &mut World, now: Now) -> bool {
        if self.stack.holds(ends.local, ends.remote) {
            return true;
        }
        let ip = ends.remote.ip();
        if ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() || *ip == self.address {
            return false;
        }
        let route = world.routes.route(ends.remote);
        match syn {
            Some(sequence) => self.attempt(ends, sequence, route, world, now),
            None => route != Route::Endpoint(Endpoint::BlackHole),
        }
    }

    fn attempt(&mut self, ends: Ends, sequence: u32, route: Route, world: &mut World, now: Now) -> bool {
        let standing = match route {
            Route::Hub => Standing::Hub,
            Route::Endpoint(Endpoint::Sink) => Standing::Sink,
            Route::Endpoint(Endpoint::Served(name)) => Standing::Served(name),
            Route::Endpoint(Endpoint::Refuse) => {
                self.first_attempt(ends, sequence, true, world, now);
                return true;
            }
            Route::Endpoint(Endpoint::BlackHole) => {
                self.first_attempt(ends, sequence, false, world, now);
                return false;
            }
        };
        if self.stack.is_full() {
            world.dropped(ends.link, Direction::FromDevice, Dropped::ConnectionLimit);
            return false;
        }
        let Ends { link, local, remote } = ends;
        let flow = world.flows.begin(link, FlowProtocol::Tcp, local, remote, now.mono);
        let key = world.next_key();
        self.stack.expect(key, ends, flow, standing);
        true
    }

    fn first_attempt(&mut self, ends: Ends, sequence: u32, refused: bool, world: &mut World, now: Now) {
        let Ends { link, local, remote } = ends;
        if self.attempts.get(&(local, remote)) == Some(&sequence) {
            return;
        }
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.attempts.clear();
        }
        self.attempts.insert((local, remote), sequence);
        world.flows.begin(link, FlowProtocol::Tcp, local, remote, now.mono);
        world.tell(match refused {
            true => NetworkFact::ConnectionRefused { link, local, remote },
            false => NetworkFact::ConnectionSwallowed { link, local, remote },
        });
    }
}
