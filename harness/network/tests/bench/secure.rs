//! A TLS client on a board's socket.

use std::io::{Read, Write};
use std::sync::Arc;

use hilarm_model::Timestamp;
use hilarm_tls::DeviceCertificate;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use smoltcp::iface::SocketHandle;

use super::board::Board;

pub struct Secure {
    pub handle: SocketHandle,
    pub tls: ClientConnection,
    pub received: Vec<u8>,
    unsent: Vec<u8>,
}

pub fn device_certificate() -> DeviceCertificate {
    let (from, to) = (Timestamp::from_secs(0), Timestamp::from_secs(1_900_000_000));
    DeviceCertificate::self_signed(1, "pump-1", from, to, "pump-1").unwrap()
}

impl Secure {
    pub fn new(handle: SocketHandle, certificate: Option<DeviceCertificate>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(super::authority().certificate_der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(made) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key_pkcs8));
                builder.with_client_auth_cert(vec![CertificateDer::from(made.der)], key).unwrap()
            }
        };
        let name = ServerName::try_from("hub.hilarm.test").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { handle, tls, received: Vec::new(), unsent: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).unwrap();
    }

    /// Moves bytes between TLS and the socket.
    pub fn pump(&mut self, board: &mut Board) {
        let bytes = board.read(self.handle);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).unwrap();
            let ready = self.tls.process_new_packets().unwrap().plaintext_bytes_to_read();
            let mut part = vec![0; ready];
            self.tls.reader().read_exact(&mut part).unwrap();
            self.received.extend(part);
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.unsent).unwrap();
        }
        let socket = board.tcp(self.handle);
        while socket.can_send() && !self.unsent.is_empty() {
            let sent = socket.send_slice(&self.unsent).unwrap();
            self.unsent.drain(..sent);
        }
    }
}
