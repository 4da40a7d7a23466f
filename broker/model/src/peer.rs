//! What a transport learned about the peer before the first byte of the application protocol.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The facts about a peer. On sockets and on QEMU they come out of a real TLS handshake, which proved
/// possession of the leaf's key; the sim backend states them, which its journal header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFacts {
    /// Source address as the hub sees it.
    pub address: SocketAddr,
    /// Server name of the ClientHello; many devices send none.
    pub sni: Option<String>,
    /// DER certificates the client presented, leaf first; empty when it presented none.
    pub client_chain: Vec<Vec<u8>>,
    /// Negotiated protocol version.
    pub version: TlsVersion,
    /// IANA name of the negotiated cipher suite, `none` on sim.
    pub suite: String,
}

/// Negotiated TLS version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsVersion {
    /// No TLS: the sim backend states the peer facts.
    Stated,
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}
