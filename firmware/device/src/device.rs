//! One device: what its tasks share. All of them run in thread mode, so cells are enough.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_executor::Spawner;
use embassy_net::Stack;
use hilarm_agent::Agent;
use hilarm_link::{DeviceConfig, NetworkConfig};
use static_cell::StaticCell;

use crate::agent::{self, Host};
use crate::frames::{Counters, FrameTap};
use crate::info;
use crate::link::{Link, Transmit};
use crate::port::Port;
use crate::rng::{Purpose, Randomness};
use crate::time::Pace;
use crate::transport::{self, Buffers, Environment, SOCKETS};

/// What a target brings.
pub struct Parts {
    /// Its name, e.g. `mps2-an385`.
    pub target: &'static str,
    /// Who the device is.
    pub config: DeviceConfig,
    /// Where its random streams come from.
    pub randomness: Box<dyn Randomness>,
    /// What carries the link's bytes.
    pub wire: Box<dyn Transmit>,
    /// Who moves its time.
    pub pace: Pace,
    /// How much memory its connections take.
    pub buffers: Buffers,
}

/// What the tasks share.
pub struct Device {
    pub(crate) agent: RefCell<Agent>,
    pub(crate) link: Link,
    pub(crate) frames: Counters,
    pub(crate) network: NetworkConfig,
    pub(crate) randomness: Box<dyn Randomness>,
    ports: [Port; SOCKETS],
    buffers: Buffers,
    authority: Vec<u8>,
}

/// What the console says at boot.
pub fn banner(target: &str, config: &DeviceConfig) -> String {
    format!("hilarm {} on {target}: {}\n", env!("CARGO_PKG_VERSION"), config.device_id)
}

static DEVICE: StaticCell<Device> = StaticCell::new();

impl Device {
    /// The device of this boot. To be called once.
    pub fn new(parts: Parts) -> &'static Self {
        let Parts { target, config, randomness, wire, pace, buffers } = parts;
        let boot_nonce = randomness.number(Purpose::BootNonce);
        // A log that outlives a reset is cut here.
        #[cfg(target_os = "none")]
        crate::rtt::print(&format!("boot {boot_nonce:016x}: {}", banner(target, &config)));
        info!("boot {=u64:016x} of {=str}", boot_nonce, target);
        DEVICE.init(Self {
            link: Link::new(wire, pace),
            frames: Counters::default(),
            network: config.network,
            randomness,
            ports: core::array::from_fn(|number| Port::new(number as u8, buffers.queued_bytes_max)),
            buffers,
            authority: config.ca_certificate.clone(),
            agent: RefCell::new(Agent::new(config, target, boot_nonce)),
        })
    }

    /// The hardware address that the harness gave it.
    pub fn mac(&self) -> [u8; 6] {
        self.network.mac
    }

    /// What a network driver shows its frames to.
    pub fn tap(&'static self) -> FrameTap {
        FrameTap::new(self)
    }

    /// Starts the agent and its sockets on an IP stack.
    pub fn spawn(&'static self, spawner: Spawner, stack: Stack<'static>) {
        let environment = Environment { stack, authority: &self.authority, buffers: self.buffers };
        for port in &self.ports {
            let rng = self.randomness.stream(Purpose::Tls(port.number()));
            spawner.spawn(transport::serve(port, environment, rng).expect("a task for every socket"));
        }
        let host = Host::new(&self.agent, &self.link, &self.ports);
        spawner.spawn(agent::run(host).expect("the agent's task starts once"));
    }
}
