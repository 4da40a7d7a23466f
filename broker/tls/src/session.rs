//! One TLS session of a server, as bytes in and bytes out.

use std::fmt;
use std::io::{Read, Write};
use std::net::SocketAddr;

use hilarm_model::PeerFacts;
use rand_chacha::ChaCha20Rng;
use rustls::ServerConnection;

use crate::entropy::with_stream;
use crate::{Seed, TlsError, TlsServer, peer_facts};

/// How much is handed out at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// The server's end of one connection. It holds no more plaintext than what was received in the last call,
/// if its owner drains it after each.
pub struct TlsSession {
    connection: ServerConnection,
    plaintext: Vec<u8>,
    stream: Option<ChaCha20Rng>,
    ended: bool,
}

impl TlsSession {
    /// A session with the operating system's randomness.
    pub fn new(server: &TlsServer) -> Result<Self, TlsError> {
        Self::with_randomness(server, None)
    }

    /// A simulated session: the same bytes for the same seed, name and peer. Its secrets are as secret as
    /// the seed.
    pub fn seeded(server: &TlsServer, seed: impl Into<Seed>, name: &str) -> Result<Self, TlsError> {
        Self::with_randomness(server, Some(seed.into().stream(name)))
    }

    fn with_randomness(server: &TlsServer, mut stream: Option<ChaCha20Rng>) -> Result<Self, TlsError> {
        let mut connection = with_stream(&mut stream, || ServerConnection::new(server.server_config()))?;
        // The owner bounds what waits to be sent: it knows the peer's window.
        connection.set_buffer_limit(None);
        Ok(Self { connection, plaintext: Vec::new(), stream, ended: false })
    }

    /// Takes what arrived. On an error the session is over, and an alert may wait in `poll_transmit`.
    pub fn receive(&mut self, ciphertext: &[u8]) -> Result<(), TlsError> {
        let Self { connection, plaintext, stream, ended } = self;
        with_stream(stream, || take_in(connection, plaintext, ended, ciphertext))
    }

    /// Queues plaintext; before the end of the handshake it waits for it.
    pub fn send(&mut self, plaintext: &[u8]) -> Result<(), TlsError> {
        let Self { connection, stream, .. } = self;
        with_stream(stream, || connection.writer().write_all(plaintext)).map_err(TlsError::Buffer)
    }

    /// Bytes for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while self.connection.wants_write() && out.len() < CHUNK_BYTES {
            // Writing into memory has no way to fail; an empty write would be no progress.
            if !matches!(self.connection.write_tls(&mut out), Ok(written) if written > 0) {
                break;
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// Plaintext of the peer.
    pub fn poll_plaintext(&mut self) -> Option<Vec<u8>> {
        (!self.plaintext.is_empty()).then(|| std::mem::take(&mut self.plaintext))
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer said that it sends no more (close_notify).
    pub fn peer_closed(&self) -> bool {
        self.ended
    }

    /// What the handshake said about the peer, once it is over.
    pub fn facts(&self, address: SocketAddr) -> Option<PeerFacts> {
        peer_facts(&self.connection, address)
    }

    /// Queues close_notify.
    pub fn close(&mut self) {
        self.connection.send_close_notify();
    }
}

fn take_in(
    connection: &mut ServerConnection,
    plaintext: &mut Vec<u8>,
    ended: &mut bool,
    mut ciphertext: &[u8],
) -> Result<(), TlsError> {
    while !ciphertext.is_empty() && !*ended {
        if connection.read_tls(&mut ciphertext)? == 0 {
            break;
        }
        let state = connection.process_new_packets()?;
        *ended |= state.peer_has_closed();
        let start = plaintext.len();
        plaintext.resize(start + state.plaintext_bytes_to_read(), 0);
        connection.reader().read_exact(&mut plaintext[start..])?;
    }
    Ok(())
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateAuthority, Validity, entropy};
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use std::sync::Arc;

    /// All bytes of a handshake between a seeded client and a session.
    fn transcript(mut session: TlsSession, authority: &CertificateAuthority) -> Vec<u8> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate_der().to_vec())).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(entropy::provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut randomness = Some(Seed::from(7).stream("client"));
        let name = ServerName::try_from("hub.hilarm.test").unwrap();
        let mut client =
            with_stream(&mut randomness, || ClientConnection::new(Arc::new(config), name)).unwrap();
        let mut all = Vec::new();
        while session.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            session.receive(&bytes).unwrap();
            all.extend_from_slice(&bytes);
            while let Some(bytes) = session.poll_transmit() {
                client.read_tls(&mut &bytes[..]).unwrap();
                with_stream(&mut randomness, || client.process_new_packets()).unwrap();
                all.extend_from_slice(&bytes);
            }
        }
        all
    }

    #[test]
    fn a_seeded_handshake_repeats_byte_for_byte_and_an_unseeded_one_does_not() {
        let authority = CertificateAuthority::from_seed(1, "a").unwrap();
        let identity = authority.issue_server(&["hub.hilarm.test"], Validity::WIDE).unwrap();
        let server = TlsServer::new(&[identity], None).unwrap();
        let seeded = |name: &str| transcript(TlsSession::seeded(&server, 42, name).unwrap(), &authority);
        assert_eq!(seeded("one"), seeded("one"));
        assert_ne!(seeded("one"), seeded("two"));
        let unseeded = || transcript(TlsSession::new(&server).unwrap(), &authority);
        assert_ne!(unseeded(), unseeded());
    }
}
