//! The network's face: inputs in, outputs out, and the ground truth to read.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use hilarm_model::{DeviceId, Monotonic, Now};

use crate::connection::Connection;
use crate::ethernet::EthernetLink;
use crate::sockets::SocketLink;
use crate::wire::Direction;
use crate::world::{Attached, Key, Owner, Transit, World};
use crate::{
    Dropped, Endpoint, Faults, Input, LinkId, LinkInput, LinkOutput, Medium, NetworkConfig, NetworkFact,
    Output, SinkRecord, TrueFlow,
};

/// The virtual network of one run.
///
/// Drain [`Network::poll_output`] after every call that takes time, and call [`Network::handle_timeout`] when
/// [`Network::poll_timeout`] says: everything then happens exactly when it is due.
pub struct Network {
    world: World,
    links: Vec<LinkKind>,
    healed: Vec<LinkId>,
}

/// A link by its medium.
enum LinkKind {
    Ethernet(Box<EthernetLink>),
    Sockets(SocketLink),
}

impl Network {
    /// A network without devices.
    pub fn new(config: NetworkConfig, seed: u64) -> Self {
        Self { world: World::new(config, seed), links: Vec::new(), healed: Vec::new() }
    }

    /// Attaches a device with its address.
    pub fn attach(&mut self, device: DeviceId, medium: Medium, address: Ipv4Addr) -> LinkId {
        let link = LinkId(u32::try_from(self.links.len()).unwrap_or(u32::MAX));
        // A stream of initial sequence numbers for each link.
        let seed = self.world.seed ^ (u64::from(link.0) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.links.push(match medium {
            Medium::Ethernet { mac } => {
                LinkKind::Ethernet(Box::new(EthernetLink::new(link, mac, address, seed)))
            }
            Medium::Sockets => LinkKind::Sockets(SocketLink::new(link, address)),
        });
        self.world.tell(NetworkFact::LinkAttached { link, device: device.to_string(), address });
        self.world.attached.push(Attached::new(device, address));
        link
    }

    /// Takes an input.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        self.release_healed(now);
        match input {
            Input::Device { link, input } => self.take_from_device(link, input, now),
            Input::HubSend { connection, bytes } => {
                self.with(Owner::Hub(connection), now, |to, world| to.send(&bytes, world, now));
            }
            Input::HubClose { connection } => {
                self.with(Owner::Hub(connection), now, |to, world| to.close(world, now));
            }
            Input::ServedSend { stream, bytes } => {
                self.with(Owner::Served(stream), now, |to, world| to.send(&bytes, world, now));
            }
            Input::ServedClose { stream } => {
                self.with(Owner::Served(stream), now, |to, world| to.close(world, now));
            }
        }
        self.advance(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.release_healed(now);
        self.advance(now);
    }

    /// The next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.world.poll_output()
    }

    /// When to call `handle_timeout` next; a time that is past means now.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        if !self.healed.is_empty() {
            return Some(Monotonic::default());
        }
        let visits = self.links.iter().filter_map(|link| match link {
            LinkKind::Ethernet(link) => link.next_visit(),
            LinkKind::Sockets(_) => None,
        });
        visits.chain(self.world.wire.next_due()).min()
    }

    /// Replaces a link's faults. What is already under way keeps its delay.
    pub fn set_faults(&mut self, link: LinkId, faults: Faults) {
        let Some(attached) = self.world.attached_mut(link) else { return };
        let healed = attached.faults.cuts() && !faults.cuts();
        attached.faults = faults;
        self.world.tell(NetworkFact::FaultsSet { link, faults });
        if healed {
            self.healed.push(link);
        }
    }

    /// The address that the hub sees a link's later connections come from; nothing for the device's own. Flows
    /// and facts keep the device's own.
    pub fn set_source(&mut self, link: LinkId, source: Option<Ipv4Addr>) {
        if let Some(attached) = self.world.attached_mut(link) {
            attached.source = source;
        }
    }

    /// What a name resolves to from now on; nothing makes it unknown.
    pub fn set_name(&mut self, host: String, address: Option<Ipv4Addr>) {
        self.world.routes.set_name(&host, address);
    }

    /// What stands behind an address from now on, the hub's included; connections that are up stay.
    pub fn set_endpoint(&mut self, at: SocketAddrV4, endpoint: Endpoint) {
        self.world.routes.set_endpoint(at, endpoint);
    }

    /// All flows in the order in which they began.
    pub fn flows(&self) -> impl Iterator<Item = &TrueFlow> {
        self.world.flows.iter()
    }

    /// What the sink at this address received.
    pub fn sink(&self, at: SocketAddrV4) -> Option<&SinkRecord> {
        self.world.sinks.get(at)
    }

    /// How many packets of a link were dropped for this reason, told as facts or not.
    pub fn drops(&self, link: LinkId, cause: Dropped) -> u64 {
        self.world.drops(link, cause)
    }

    /// Writes the frames of all Ethernet devices as pcapng, TLS secrets included. Sim devices have no frames.
    pub fn write_capture(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let devices: Vec<&str> =
            self.world.attached.iter().map(|attached| attached.device.as_str()).collect();
        let secrets = self.world.config.key_log.as_ref().map(|log| log.text()).unwrap_or_default();
        self.world.capture.write(&devices, &secrets, out)
    }

    /// Plaintext bytes that the hub was given from a link, and that it gave to it.
    pub fn hub_plaintext_bytes(&self, link: LinkId) -> (u64, u64) {
        self.world.attached(link).map_or((0, 0), |attached| (attached.plaintext_in, attached.plaintext_out))
    }

    fn take_from_device(&mut self, link: LinkId, input: LinkInput, now: Now) {
        match (self.links.get_mut(link.0 as usize), input) {
            (Some(LinkKind::Ethernet(_)), LinkInput::Frame(frame)) => {
                self.world.carry(link, Direction::FromDevice, frame, now);
            }
            (Some(LinkKind::Ethernet(_)), _) => {
                self.world.dropped(link, Direction::FromDevice, Dropped::Protocol);
            }
            (Some(LinkKind::Sockets(sockets)), input) => sockets.request(input, &mut self.world, now),
            (None, _) => {}
        }
    }

    fn with(&mut self, owner: Owner, now: Now, act: impl FnOnce(&mut Connection, &mut World)) {
        let Some((link, key)) = self.world.owned(owner) else { return };
        self.with_key(link, key, now, act);
    }

    fn with_key(&mut self, link: LinkId, key: Key, now: Now, act: impl FnOnce(&mut Connection, &mut World)) {
        match self.links.get_mut(link.0 as usize) {
            Some(LinkKind::Ethernet(ethernet)) => ethernet.with(key, &mut self.world, now, act),
            Some(LinkKind::Sockets(sockets)) => sockets.with(key, &mut self.world, now, act),
            None => {}
        }
    }

    fn release_healed(&mut self, now: Now) {
        for link in std::mem::take(&mut self.healed) {
            if let Some(LinkKind::Sockets(sockets)) = self.links.get_mut(link.0 as usize)
                && !self.world.faults(link).cuts()
            {
                sockets.release(&mut self.world, now);
            }
        }
    }

    /// Everything due, in order, and what follows from it at the same instant.
    fn advance(&mut self, now: Now) {
        loop {
            while let Some((link, transit)) = self.world.wire.pop_due(now.mono) {
                self.arrive(link, transit, now);
            }
            if !self.visit_stacks(now) {
                break;
            }
        }
    }

    fn visit_stacks(&mut self, now: Now) -> bool {
        let mut visited = false;
        for link in &mut self.links {
            if let LinkKind::Ethernet(ethernet) = link
                && ethernet.next_visit().is_some_and(|next| next <= now.mono)
            {
                ethernet.visit(&mut self.world, now);
                visited = true;
            }
        }
        visited
    }

    fn arrive(&mut self, link: LinkId, transit: Transit, now: Now) {
        let Self { world, links, .. } = self;
        match (links.get_mut(link.0 as usize), transit) {
            (_, Transit::Frame(Direction::ToDevice, frame)) => {
                world.capture.record(now.unix, link, Direction::ToDevice, &frame, false);
                world.hand_to_device(link, LinkOutput::Frame(frame));
            }
            (Some(LinkKind::Ethernet(ethernet)), Transit::Frame(Direction::FromDevice, frame)) => {
                ethernet.arrive(frame, world, now);
            }
            (Some(LinkKind::Sockets(sockets)), Transit::Request(request)) => {
                sockets.arrive(request, world, now)
            }
            (Some(LinkKind::Sockets(sockets)), Transit::Answer(answer)) => sockets.deliver(answer, world),
            (Some(LinkKind::Sockets(sockets)), Transit::Deadline(deadline)) => {
                sockets.expire(&deadline, world, now);
            }
            // Nothing else is ever put on the wire.
            _ => {}
        }
    }
}
