//! The virtual network between devices and everything they talk to, sans-I/O.
//!
//! A device attaches by Ethernet frames (QEMU, boards: smoltcp answers for every address in the world) or by
//! socket requests (sim, which has no TCP/IP stack). Both see the same names, endpoints, latency, loss and
//! partition. TLS to the hub ends here, in process; plaintext and peer facts go to the hub, and everything
//! else stays ground truth for proof: facts, flows, sinks, the capture.
//!
//! It opens no socket, reads no clock and draws no unseeded randomness: one seed and the same inputs give
//! the same outputs. It knows nothing of MQTT, and judges nothing.
//!
//! Addresses: devices in 10.42.0.0/24, leased by DHCP to those that ask, behind the gateway 10.42.0.1, the only
//! host that answers ARP; hub, DNS
//! (10.77.0.53) and time (10.77.0.123) lie off the link. See [`Endpoint`] for what other addresses do.

mod capture;
mod config;
mod connection;
mod dhcp;
mod dns;
mod ethernet;
mod fact;
mod flow;
mod frame;
mod link;
mod loss;
mod message;
mod network;
mod route;
mod sink;
mod sntp;
mod sockets;
mod stack;
mod wire;
mod world;

pub use config::{
    Endpoint, Faults, GATEWAY, GATEWAY_MAC, HubService, Medium, NetworkConfig, RESOLVER, TIME_SERVER,
};
pub use fact::{Dropped, Ended, NetworkFact, Standing};
pub use flow::{FlowProtocol, TrueFlow};
pub use link::{LinkId, LinkInput, LinkOutput, SocketId};
pub use message::{Input, Output, StreamId};
pub use network::Network;
pub use sink::SinkRecord;
