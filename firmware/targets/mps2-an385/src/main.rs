//! The device firmware on the MPS2 board with the AN385 image (Cortex-M3), as QEMU emulates it.
//!
//! This room holds drivers and wiring only: what the device does is `hilarm_agent`'s. One ELF serves every
//! scenario; identity and seed come from the configuration blob, behaviours from commands over the link.
//! It never reads a clock: time is what the harness grants ([`time`]).
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod agent;
mod executor;
mod failure;
mod idle;
mod interrupts;
mod lan9118;
mod link;
mod memory;
mod net;
mod port;
mod registers;
mod rng;
mod time;
mod tls;
mod transport;
mod uart;

use core::cell::RefCell;
use core::fmt::Write;

use cortex_m_rt::entry;
use embassy_executor::Spawner;
use hilarm_agent::Agent;
use hilarm_link::DeviceConfig;
use rand_core::RngCore;
use static_cell::StaticCell;

use crate::agent::Host;
use crate::idle::IdleReporter;
use crate::lan9118::Counters;
use crate::link::Link;
use crate::port::Port;
use crate::rng::{Purpose, Seeds};
use crate::transport::{Environment, SOCKETS};
use crate::uart::{Console, LinkUart};

const TARGET: &str = "mps2-an385";

/// What the tasks share; all of them run in thread mode.
pub(crate) struct Device {
    agent: RefCell<Agent>,
    link: Link,
    frames: Counters,
    ports: [Port; SOCKETS],
    authority: alloc::vec::Vec<u8>,
}

static DEVICE: StaticCell<Device> = StaticCell::new();

#[entry]
fn main() -> ! {
    memory::init_heap();
    let mut peripherals = cortex_m::Peripherals::take().expect("taken once");
    memory::guard_stack(&mut peripherals.MPU);
    let mut console = Console::open();
    let config = match memory::read_config() {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    };
    let seeds = Seeds::new(config.seed, memory::count_boot());
    // The console has no way to fail.
    let _ = writeln!(console, "hilarm {} on {TARGET}: {}", env!("CARGO_PKG_VERSION"), config.device_id);

    let network = config.network;
    let device: &'static Device = DEVICE.init(device(config, seeds));
    executor::run(IdleReporter::new(&device.link, &device.frames, network.mac), |spawner| {
        spawn(spawner, device, &network, seeds);
        interrupts::enable();
    })
}

fn device(config: DeviceConfig, seeds: Seeds) -> Device {
    let authority = config.ca_certificate.clone();
    let boot_nonce = seeds.stream(Purpose::BootNonce).next_u64();
    Device {
        agent: RefCell::new(Agent::new(config, TARGET, boot_nonce)),
        link: Link::new(LinkUart::open()),
        frames: Counters::default(),
        ports: core::array::from_fn(|number| Port::new(number as u8)),
        authority,
    }
}

fn spawn(spawner: Spawner, device: &'static Device, network: &hilarm_link::NetworkConfig, seeds: Seeds) {
    let random_seed = seeds.stream(Purpose::Network).next_u64();
    let stack = net::start(spawner, network, device, random_seed);
    let environment = Environment { stack, authority: &device.authority };
    for port in &device.ports {
        let rng = seeds.stream(Purpose::Tls(port.number()));
        spawner.spawn(transport::serve(port, environment, rng).expect("a task for every socket"));
    }
    let host = Host::new(&device.agent, &device.link, &device.ports);
    spawner.spawn(agent::run(host).expect("the agent's task starts once"));
    spawner.spawn(link::receive(&device.link).expect("the link's task starts once"));
}
