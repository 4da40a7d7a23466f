//! What a network is made of: fixed addresses, media, faults, and what stands behind an address.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use hilarm_tls::{KeyLogBuffer, TlsServer};
use serde::{Deserialize, Serialize};

/// The gateway of every link.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 42, 0, 1);
/// The gateway's hardware address, locally administered.
pub const GATEWAY_MAC: [u8; 6] = [0x02, 0x48, 0x49, 0x4C, 0x00, 0x01];
/// The name server, off the link.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 53);
/// The SNTP server, off the link.
pub const TIME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 123);
/// The hub's port for device HTTPS.
pub(crate) const HTTPS_PORT: u16 = 443;
/// Prefix length of the device network.
pub(crate) const PREFIX_LEN: u8 = 24;

/// What does not change during a run.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Where the hub's MQTT listener is; its HTTPS listener is at port 443 of the same address.
    pub hub: SocketAddrV4,
    /// The name that resolves to it.
    pub hub_host: String,
    /// Ends the TLS of Ethernet devices.
    pub tls: TlsServer,
    /// The log that `tls` writes its secrets to; goes into the capture.
    pub key_log: Option<Arc<KeyLogBuffer>>,
    /// Frames beyond this many bytes are counted and not kept.
    pub capture_bytes_max: usize,
}

impl NetworkConfig {
    /// 10.77.0.10:8883 under `hub.hilarm.test`, keeping up to 64 MiB of frames.
    pub fn new(tls: TlsServer, key_log: Option<Arc<KeyLogBuffer>>) -> Self {
        Self {
            hub: SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 10), 8883),
            hub_host: "hub.hilarm.test".to_string(),
            tls,
            key_log,
            capture_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// A listener of the hub. TLS ends in the network for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubService {
    /// MQTT over TLS.
    Mqtt,
    /// HTTP/1.1 over TLS.
    Https,
}

/// How a device is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// By frames.
    Ethernet {
        /// The device's hardware address.
        mac: [u8; 6],
    },
    /// By socket requests.
    Sockets,
}

/// What is wrong with a link, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// One-way delay.
    pub latency: Duration,
    /// Of a million IP packets this many are lost; ARP is spared, and a million is a partition.
    pub loss_per_million: u32,
    /// Nothing passes.
    pub partitioned: bool,
}

impl Faults {
    pub(crate) fn cuts(&self) -> bool {
        self.partitioned || self.loss_per_million >= 1_000_000
    }
}

/// What stands behind a TCP address other than the hub's. Without an entry, an address in a documentation
/// range (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24) is a black hole, because that is how an adversary's
/// address looks when nobody has put anything there; any other address refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Accepts, records what it is sent, never answers. Records datagrams too.
    Sink,
    /// Answers with a reset.
    Refuse,
    /// Answers nothing.
    BlackHole,
    /// Accepts and hands the stream to the runner under this name.
    Served(String),
}
