//! The IP stack: one interface with a static address, a resolver, and the tap that lets the agent see frames.

use core::cell::RefCell;

use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use hilarm_agent::{Agent, Direction};
use hilarm_link::NetworkConfig;
use static_cell::StaticCell;

use crate::Device;
use crate::lan9118::{FrameTap, Lan9118};
use crate::link::Link;
use crate::transport::SOCKETS;

/// The resolver takes one socket of the stack, besides the transport's.
static RESOURCES: StaticCell<StackResources<{ SOCKETS + 1 }>> = StaticCell::new();

/// Shows each frame to the agent's collector of network activity, and keeps the harness's own from the stack.
pub(crate) struct FlowTap {
    agent: &'static RefCell<Agent>,
    link: &'static Link,
}

impl FrameTap for FlowTap {
    fn observe(&mut self, direction: Direction, frame: &[u8]) {
        // The agent task holds no borrow over an await, so none is alive while the network task runs.
        self.agent.borrow_mut().flows().observe_frame(direction, frame);
    }

    fn take(&mut self, frame: &[u8]) -> bool {
        self.link.take_frame(frame)
    }
}

/// Starts the interface and its task.
pub(crate) fn start(
    spawner: Spawner,
    network: &NetworkConfig,
    device: &'static Device,
    random_seed: u64,
) -> Stack<'static> {
    let driver =
        Lan9118::start(network.mac, &device.frames, FlowTap { agent: &device.agent, link: &device.link });
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(driver, addresses(network), resources, random_seed);
    spawner.spawn(run(runner).expect("the network task starts once"));
    stack
}

fn addresses(network: &NetworkConfig) -> Config {
    let ip = |[a, b, c, d]: [u8; 4]| Ipv4Address::new(a, b, c, d);
    Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(ip(network.address), network.prefix_len),
        gateway: Some(ip(network.gateway)),
        dns_servers: [ip(network.dns)].into_iter().collect(),
    })
}

#[embassy_executor::task]
async fn run(mut runner: Runner<'static, Lan9118<FlowTap>>) -> ! {
    runner.run().await
}
