//! Network truth for the journal's `harness` lines and for proof. The hub and the defender never see it.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

use crate::{Faults, LinkId};

/// A fact, in the past tense.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFact {
    /// A device was attached.
    LinkAttached {
        /// Its link.
        link: LinkId,
        /// Its identity in the hub's registry.
        device: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// A link's faults were set.
    FaultsSet {
        /// The link.
        link: LinkId,
        /// The faults from now on.
        faults: Faults,
    },
    /// A TCP connection was accepted.
    ConnectionOpened {
        /// The link.
        link: LinkId,
        /// The device's end.
        local: SocketAddrV4,
        /// The other end.
        remote: SocketAddrV4,
        /// What stands there.
        standing: Standing,
    },
    /// A TCP connection was refused with a reset.
    ConnectionRefused {
        /// The link.
        link: LinkId,
        /// The device's end.
        local: SocketAddrV4,
        /// The other end.
        remote: SocketAddrV4,
    },
    /// A connection attempt went into a black hole; recorded at its first packet.
    ConnectionSwallowed {
        /// The link.
        link: LinkId,
        /// The device's end.
        local: SocketAddrV4,
        /// The other end.
        remote: SocketAddrV4,
    },
    /// An accepted TCP connection ended.
    ConnectionEnded {
        /// The link.
        link: LinkId,
        /// The device's end.
        local: SocketAddrV4,
        /// The other end.
        remote: SocketAddrV4,
        /// Who ended it, and how.
        ended: Ended,
        /// Stream bytes towards the device.
        bytes_in: u64,
        /// Stream bytes from the device.
        bytes_out: u64,
    },
    /// The TLS handshake or record layer with the hub failed.
    TlsFailed {
        /// The link.
        link: LinkId,
        /// The device's end.
        local: SocketAddrV4,
        /// What rustls says about it.
        error: String,
    },
    /// A name was looked up.
    NameResolved {
        /// The link.
        link: LinkId,
        /// The name, lower case.
        name: String,
        /// The answer; nothing when the name does not exist.
        address: Option<Ipv4Addr>,
    },
    /// A device asked for the time.
    TimeTold {
        /// The link.
        link: LinkId,
        /// Unix seconds that it was told.
        unix_s: i64,
    },
    /// A packet (or, on sim, a segment's first transmission) did not pass.
    PacketDropped {
        /// The link.
        link: LinkId,
        /// Whether it came from the device.
        from_device: bool,
        /// Why.
        cause: Dropped,
    },
}

impl NetworkFact {
    /// The link that it is about.
    pub fn link(&self) -> LinkId {
        match self {
            Self::LinkAttached { link, .. }
            | Self::FaultsSet { link, .. }
            | Self::ConnectionOpened { link, .. }
            | Self::ConnectionRefused { link, .. }
            | Self::ConnectionSwallowed { link, .. }
            | Self::ConnectionEnded { link, .. }
            | Self::TlsFailed { link, .. }
            | Self::NameResolved { link, .. }
            | Self::TimeTold { link, .. }
            | Self::PacketDropped { link, .. } => *link,
        }
    }
}

/// What stood at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The hub.
    Hub,
    /// A recording sink.
    Sink,
    /// The served endpoint of this name.
    Served(String),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The device closed it, or vanished.
    ByDevice,
    /// The hub or the endpoint closed it.
    ByRemote,
    /// The TLS session failed.
    TlsFailed,
    /// The device did not read and too much was waiting for it.
    Overflowed,
}

/// Why a packet did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Seeded loss.
    Loss,
    /// The link is partitioned.
    Partition,
    /// Not a well-formed frame or packet, or a wrong checksum.
    Malformed,
    /// A protocol that the network does not carry.
    Protocol,
    /// Not the device's own source address.
    Source,
    /// More connections at once than a link may have.
    ConnectionLimit,
    /// More packets under way than a link's queue holds.
    QueueFull,
}
