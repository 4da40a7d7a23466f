//! The IP stack: one interface with a static address, and a resolver.

use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_driver::Driver;
use hilarm_link::NetworkConfig;
use static_cell::StaticCell;

use crate::device::Device;
use crate::rng::Purpose;
use crate::transport::SOCKETS;

/// The resolver takes one socket of the stack, besides the transport's.
static RESOURCES: StaticCell<StackResources<{ SOCKETS + 1 }>> = StaticCell::new();

/// The stack over a driver, and what has to run as a task of its own for it. To be called once.
pub fn start<D: Driver>(driver: D, device: &'static Device) -> (Stack<'static>, Runner<'static, D>) {
    let random_seed = device.randomness.number(Purpose::Network);
    let resources = RESOURCES.init(StackResources::new());
    embassy_net::new(driver, addresses(&device.network), resources, random_seed)
}

fn addresses(network: &NetworkConfig) -> Config {
    let ip = |[a, b, c, d]: [u8; 4]| Ipv4Address::new(a, b, c, d);
    Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(ip(network.address), network.prefix_len),
        gateway: Some(ip(network.gateway)),
        dns_servers: [ip(network.dns)].into_iter().collect(),
    })
}
