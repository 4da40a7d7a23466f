//! What all links of a network share: names and endpoints, the wire, the ledgers, and the way out.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use hilarm_model::{ConnectionId, DeviceId, Now};

use crate::capture::Capture;
use crate::flow::FlowLedger;
use crate::frame::{self, Contents};
use crate::loss::{Lane, Loss};
use crate::route::Routes;
use crate::sink::Sinks;
use crate::sockets::{Answer, Deadline, Request};
use crate::wire::{Direction, Wire};
use crate::{Dropped, Faults, LinkId, LinkOutput, NetworkConfig, NetworkFact, Output, StreamId};

/// Facts told of one link about packets dropped for one reason; after that they are counted only.
const DROPS_TOLD_MAX: u64 = 1000;
/// Frames under way in one direction: a router's queue, so that a device that floods while time stands
/// still cannot fill the host's memory.
const QUEUE_FRAMES_MAX: usize = 16_384;

/// What travels.
#[derive(Debug)]
pub(crate) enum Transit {
    Frame(Direction, Vec<u8>),
    Request(Request),
    Answer(Answer),
    Deadline(Deadline),
}

/// Whom an input of the hub's or an endpoint's side is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Hub(ConnectionId),
    Served(StreamId),
}

/// One connection of one link, over all media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) link: LinkId,
    /// The device's.
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
}

/// What the network knows of a device.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) device: DeviceId,
    pub(crate) address: Ipv4Addr,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) faults: Faults,
    pub(crate) plaintext_in: u64,
    pub(crate) plaintext_out: u64,
    /// TLS sessions so far: each has a random stream of its own.
    pub(crate) sessions: u64,
}

impl Attached {
    pub(crate) fn new(device: DeviceId, address: Ipv4Addr) -> Self {
        let (plaintext_in, plaintext_out, sessions) = (0, 0, 0);
        Self {
            device,
            address,
            source: None,
            faults: Faults::default(),
            plaintext_in,
            plaintext_out,
            sessions,
        }
    }
}

pub(crate) struct World {
    pub(crate) config: NetworkConfig,
    pub(crate) seed: u64,
    pub(crate) routes: Routes,
    pub(crate) flows: FlowLedger,
    pub(crate) sinks: Sinks,
    pub(crate) capture: Capture,
    pub(crate) wire: Wire<Transit>,
    pub(crate) loss: Loss,
    pub(crate) attached: Vec<Attached>,
    outputs: VecDeque<Output>,
    owners: BTreeMap<Owner, (LinkId, Key)>,
    drops: BTreeMap<(LinkId, bool, Dropped), u64>,
    connections: u64,
    streams: u64,
    keys: u64,
}

impl World {
    pub(crate) fn new(config: NetworkConfig, seed: u64) -> Self {
        Self {
            seed,
            routes: Routes::new(config.hub, &config.hub_host),
            flows: FlowLedger::default(),
            sinks: Sinks::default(),
            capture: Capture::new(config.capture_bytes_max),
            wire: Wire::new(),
            loss: Loss::new(seed),
            attached: Vec::new(),
            outputs: VecDeque::new(),
            owners: BTreeMap::new(),
            drops: BTreeMap::new(),
            connections: 0,
            streams: 0,
            keys: 0,
            config,
        }
    }

    pub(crate) fn attached(&self, link: LinkId) -> Option<&Attached> {
        self.attached.get(link.0 as usize)
    }

    pub(crate) fn attached_mut(&mut self, link: LinkId) -> Option<&mut Attached> {
        self.attached.get_mut(link.0 as usize)
    }

    pub(crate) fn faults(&self, link: LinkId) -> Faults {
        self.attached(link).map(|attached| attached.faults).unwrap_or_default()
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn tell(&mut self, fact: NetworkFact) {
        self.emit(Output::Fact(fact));
    }

    pub(crate) fn hand_to_device(&mut self, link: LinkId, output: LinkOutput) {
        self.emit(Output::Device { link, output });
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_key(&mut self) -> Key {
        self.keys += 1;
        Key(self.keys)
    }

    pub(crate) fn new_connection(&mut self, link: LinkId, key: Key) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.owners.insert(Owner::Hub(connection), (link, key));
        connection
    }

    pub(crate) fn new_stream(&mut self, link: LinkId, key: Key) -> StreamId {
        self.streams += 1;
        let stream = StreamId(self.streams);
        self.owners.insert(Owner::Served(stream), (link, key));
        stream
    }

    pub(crate) fn owned(&self, owner: Owner) -> Option<(LinkId, Key)> {
        self.owners.get(&owner).copied()
    }

    pub(crate) fn disown(&mut self, owner: Owner) {
        self.owners.remove(&owner);
    }

    /// A device's end as the hub sees it.
    pub(crate) fn seen_from_outside(&self, ends: &Ends) -> SocketAddr {
        let source = self.attached(ends.link).and_then(|attached| attached.source);
        SocketAddr::from((source.unwrap_or(*ends.local.ip()), ends.local.port()))
    }

    pub(crate) fn dropped(&mut self, link: LinkId, direction: Direction, cause: Dropped) {
        let from_device = direction == Direction::FromDevice;
        let count = self.drops.entry((link, from_device, cause)).or_default();
        *count += 1;
        if *count <= DROPS_TOLD_MAX {
            self.tell(NetworkFact::PacketDropped { link, from_device, cause });
        }
    }

    pub(crate) fn drops(&self, link: LinkId, cause: Dropped) -> u64 {
        [false, true].iter().filter_map(|way| self.drops.get(&(link, *way, cause))).sum()
    }

    /// Puts a frame on its way, or drops it: for what it is, or as the link's faults say.
    pub(crate) fn carry(&mut self, link: LinkId, direction: Direction, frame: Vec<u8>, now: Now) {
        let fate = match frame::read(&frame) {
            Ok(contents) => self.fate(link, direction, &contents),
            Err(cause) => Some(cause),
        };
        if direction == Direction::FromDevice {
            self.capture.record(now.unix, link, direction, &frame, fate.is_some());
        }
        match fate {
            Some(cause) => self.dropped(link, direction, cause),
            None => {
                let due = now.mono + self.faults(link).latency;
                self.wire.send(link, direction, due, Transit::Frame(direction, frame));
            }
        }
    }

    fn fate(&mut self, link: LinkId, direction: Direction, contents: &Contents<'_>) -> Option<Dropped> {
        let faults = self.faults(link);
        let mut lost = false;
        if let Some((protocol, from, to)) = contents.flow() {
            let from_device = direction == Direction::FromDevice;
            let (local, remote) = if from_device { (from, to) } else { (to, from) };
            if self.attached(link).is_none_or(|attached| attached.address != *local.ip()) {
                return Some(Dropped::Source);
            }
            let lane = Lane { link, direction, protocol, local, remote };
            lost = self.loss.takes(lane, contents.part(), faults.loss_per_million);
        }
        if faults.cuts() {
            Some(Dropped::Partition)
        } else if lost {
            Some(Dropped::Loss)
        } else if self.wire.under_way(link, direction) >= QUEUE_FRAMES_MAX {
            Some(Dropped::QueueFull)
        } else {
            None
        }
    }
}
