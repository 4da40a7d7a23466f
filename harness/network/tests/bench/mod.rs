//! A virtual world for tests: the network, one board, an echoing hub, and a clock that jumps to what is next.

#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod board;
pub mod secure;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use board::Board;
use hilarm_model::{DeviceId, Monotonic, Now, PeerFacts, Timestamp};
use hilarm_network::{
    Faults, Input, LinkId, LinkInput, LinkOutput, Medium, Network, NetworkConfig, NetworkFact, Output,
    StreamId,
};
use hilarm_tls::{CertificateAuthority, KeyLogBuffer, TlsServer, Validity};

pub const HUB: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 10), 8883);
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 42, 0, 2);

pub fn authority() -> CertificateAuthority {
    CertificateAuthority::from_seed(42, "hilarm test").unwrap()
}

pub fn network(seed: u64) -> Network {
    let identity = authority().issue_server(&["hub.hilarm.test"], Validity::WIDE).unwrap();
    let key_log = Arc::new(KeyLogBuffer::new());
    let tls = TlsServer::new(&[identity], Some(key_log.clone())).unwrap();
    Network::new(NetworkConfig::new(tls, Some(key_log)), seed)
}

/// What came out of the network besides frames.
#[derive(Default)]
pub struct Heard {
    pub opened: Vec<PeerFacts>,
    pub hub: Vec<u8>,
    pub hub_closed: usize,
    pub served: Vec<u8>,
    pub streams: Vec<(StreamId, String)>,
    pub served_closed: usize,
    pub facts: Vec<NetworkFact>,
    pub answers: Vec<(Monotonic, LinkOutput)>,
    pub frames: Vec<(Monotonic, Vec<u8>)>,
}

pub struct World {
    pub network: Network,
    pub board: Option<Board>,
    pub link: LinkId,
    pub now: Now,
    pub heard: Heard,
    /// Whether the hub and served endpoints send back what they receive.
    pub echo: bool,
}

impl World {
    pub fn ethernet(seed: u64) -> Self {
        let mut world = Self::empty(seed, Medium::Ethernet { mac: MAC });
        world.board = Some(Board::new(world.link, MAC, ADDRESS));
        world
    }

    pub fn sockets(seed: u64) -> Self {
        Self::empty(seed, Medium::Sockets)
    }

    fn empty(seed: u64, medium: Medium) -> Self {
        let mut network = network(seed);
        let link = network.attach(DeviceId::new("pump-1").unwrap(), medium, ADDRESS);
        let now = Now { mono: Monotonic::default(), unix: Timestamp::from_secs(1_767_225_600) };
        Self { network, board: None, link, now, heard: Heard::default(), echo: true }
    }

    pub fn board(&mut self) -> &mut Board {
        self.board.as_mut().unwrap()
    }

    pub fn faults(&mut self, latency_ms: u64, loss_per_million: u32, partitioned: bool) {
        let latency = Duration::from_millis(latency_ms);
        self.network.set_faults(self.link, Faults { latency, loss_per_million, partitioned });
    }

    pub fn device(&mut self, input: LinkInput) {
        let link = self.link;
        self.network.handle_input(Input::Device { link, input }, self.now);
        self.settle();
    }

    /// Everything that happens at this instant.
    pub fn settle(&mut self) -> bool {
        let mut ever = false;
        loop {
            let mut busy = self.drain();
            if let Some(board) = &mut self.board {
                board.poll(self.now);
                for frame in std::mem::take(&mut board.card.outbound) {
                    let input = LinkInput::Frame(frame);
                    self.network.handle_input(Input::Device { link: board.link, input }, self.now);
                    busy = true;
                }
            }
            if !busy {
                return ever;
            }
            ever = true;
        }
    }

    fn drain(&mut self) -> bool {
        let mut busy = false;
        while let Some(output) = self.network.poll_output() {
            busy = true;
            self.hear(output);
        }
        busy
    }

    fn hear(&mut self, output: Output) {
        match output {
            Output::Device { output: LinkOutput::Frame(frame), .. } => {
                self.heard.frames.push((self.now.mono, frame.clone()));
                if let Some(board) = &mut self.board {
                    board.card.inbound.push_back(frame);
                }
            }
            Output::Device { output, .. } => self.heard.answers.push((self.now.mono, output)),
            Output::HubOpened { facts, .. } => self.heard.opened.push(facts),
            Output::HubReceived { connection, bytes } => {
                self.heard.hub.extend_from_slice(&bytes);
                if self.echo {
                    self.network.handle_input(Input::HubSend { connection, bytes }, self.now);
                }
            }
            Output::HubClosed { .. } => self.heard.hub_closed += 1,
            Output::ServedOpened { stream, endpoint, .. } => self.heard.streams.push((stream, endpoint)),
            Output::ServedReceived { stream, bytes } => {
                self.heard.served.extend_from_slice(&bytes);
                if self.echo {
                    self.network.handle_input(Input::ServedSend { stream, bytes }, self.now);
                }
            }
            Output::ServedClosed { .. } => self.heard.served_closed += 1,
            Output::Fact(fact) => self.heard.facts.push(fact),
        }
    }

    /// Jumps from event to event until `done` or until the time is over; whether it was done.
    pub fn run(&mut self, span: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now.mono + span;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            // Looking may have read and written, and so set off more at this instant.
            if self.settle() {
                continue;
            }
            let device = self.board.as_mut().and_then(|board| board.poll_timeout(self.now));
            let Some(next) = self.network.poll_timeout().into_iter().chain(device).min() else {
                self.jump(end);
                return false;
            };
            if next > end {
                self.jump(end);
                return false;
            }
            self.jump(next);
        }
    }

    pub fn run_for(&mut self, span: Duration) {
        self.run(span, |_| false);
    }

    fn jump(&mut self, to: Monotonic) {
        let to = to.max(self.now.mono);
        self.now.unix += to.since(self.now.mono);
        self.now.mono = to;
        self.network.handle_timeout(self.now);
    }

    pub fn told(&self, is: impl Fn(&NetworkFact) -> bool) -> usize {
        self.heard.facts.iter().filter(|fact| is(fact)).count()
    }
}
