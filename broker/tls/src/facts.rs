//! What a finished handshake says about the peer.

use std::net::SocketAddr;

use hilarm_model::{PeerFacts, TlsVersion};
use rustls::{ProtocolVersion, ServerConnection};

/// The peer's facts, once the handshake is over.
pub fn peer_facts(connection: &ServerConnection, address: SocketAddr) -> Option<PeerFacts> {
    if connection.is_handshaking() {
        return None;
    }
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => TlsVersion::Tls12,
    };
    let chain = connection.peer_certificates().unwrap_or_default();
    Some(PeerFacts {
        address,
        sni: connection.server_name().map(str::to_string),
        client_chain: chain.iter().map(|der| der.to_vec()).collect(),
        version,
        suite: iana_name(connection.negotiated_cipher_suite()?.suite().as_str()?),
    })
}

/// rustls says `TLS13_AES_128_GCM_SHA256` where the registry of IANA says `TLS_AES_128_GCM_SHA256`.
fn iana_name(name: &str) -> String {
    name.strip_prefix("TLS13_").map_or_else(|| name.to_string(), |rest| format!("TLS_{rest}"))
}
