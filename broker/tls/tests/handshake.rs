//! Handshakes of a real client (rustls) with a session, bytes in memory.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::net::SocketAddr;
use std::sync::Arc;

use hilarm_model::{PeerFacts, Timestamp, TlsVersion};
use hilarm_tls::{
    CertificateAuthority, DeviceCertificate, KeyLogBuffer, ServerIdentity, TlsServer, TlsSession, Validity,
};
use p256::ecdsa::signature::Signer;
use p256::pkcs8::DecodePrivateKey;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureScheme, SupportedProtocolVersion};

const HOST: &str = "hub.hilarm.test";

fn authority() -> CertificateAuthority {
    CertificateAuthority::from_seed(42, "hilarm test").unwrap()
}

fn server() -> TlsServer {
    TlsServer::new(&[authority().issue_server(&[HOST, "10.77.0.10"], Validity::WIDE).unwrap()], None).unwrap()
}

fn device(key_name: &str) -> DeviceCertificate {
    // Long expired: judging that is the hub's part.
    DeviceCertificate::self_signed(1, "pump-1", Timestamp::from_secs(0), Timestamp::from_secs(1), key_name)
        .unwrap()
}

#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn presents(certificate: &[u8], key_pkcs8: &[u8]) -> Arc<Presents> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key_pkcs8.to_vec()));
    let key = ring::sign::any_supported_type(&key).unwrap();
    Arc::new(Presents(Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate.to_vec())], key))))
}

struct Client {
    version: &'static SupportedProtocolVersion,
    certificate: Option<Arc<Presents>>,
    server_name: &'static str,
    provider: rustls::crypto::CryptoProvider,
}

impl Client {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        Self { version, certificate: None, server_name: HOST, provider: ring::default_provider() }
    }

    fn connect(self) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority().certificate_der().to_vec())).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match self.certificate {
            Some(certificate) => builder.with_client_cert_resolver(certificate),
            None => builder.with_no_client_auth(),
        };
        ClientConnection::new(Arc::new(config), ServerName::try_from(self.server_name).unwrap()).unwrap()
    }
}

fn address() -> SocketAddr {
    "10.42.0.2:50000".parse().unwrap()
}

/// Carries bytes until both sides are silent; the errors of both.
fn carry(client: &mut ClientConnection, session: &mut TlsSession) -> (Option<String>, Option<String>) {
    let (mut client_error, mut session_error) = (None, None);
    loop {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        // In pieces, as TCP cuts them.
        for piece in to_server.chunks(7) {
            if let Err(error) = session.receive(piece) {
                session_error.get_or_insert(error.to_string());
                break;
            }
        }
        let mut to_client: Vec<u8> = std::iter::from_fn(|| session.poll_transmit()).flatten().collect();
        if to_server.is_empty() && to_client.is_empty() {
            return (client_error, session_error);
        }
        let mut rest = to_client.as_mut_slice() as &[u8];
        while !rest.is_empty() && client_error.is_none() {
            client.read_tls(&mut rest).unwrap();
            client_error = client.process_new_packets().err().map(|error| error.to_string());
        }
    }
}

fn handshake(client: Client, server: &TlsServer) -> (Option<PeerFacts>, Option<String>) {
    let (mut client, mut session) = (client.connect(), TlsSession::new(server).unwrap());
    let (_, error) = carry(&mut client, &mut session);
    (session.facts(address()).filter(|_| error.is_none()), error)
}

const VERSIONS: [(&SupportedProtocolVersion, TlsVersion); 2] =
    [(&rustls::version::TLS12, TlsVersion::Tls12), (&rustls::version::TLS13, TlsVersion::Tls13)];

#[test]
fn a_client_without_certificate_is_let_in_and_bytes_pass_both_ways() {
    use std::io::{Read, Write};
    for (version, told) in VERSIONS {
        let (mut client, mut session) = (Client::new(version).connect(), TlsSession::new(&server()).unwrap());
        assert_eq!(session.facts(address()), None);
        assert_eq!(carry(&mut client, &mut session), (None, None));
        let facts = session.facts(address()).unwrap();
        assert_eq!((facts.version, facts.sni.as_deref(), facts.client_chain.len()), (told, Some(HOST), 0));
        let prefix = if told == TlsVersion::Tls13 { "TLS_AES" } else { "TLS_ECDHE_ECDSA" };
        assert!(facts.suite.starts_with(prefix), "{}", facts.suite);

        let message: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        client.writer().write_all(&message[..50_000]).unwrap();
        session.send(&message).unwrap();
        let mut at_server = Vec::new();
        let mut at_client = Vec::new();
        while at_client.len() < message.len() || at_server.len() < 50_000 {
            let mut out = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut out).unwrap();
            }
            session.receive(&out).unwrap();
            at_server.extend(session.poll_plaintext().unwrap_or_default());
            let bytes = session.poll_transmit().unwrap_or_default();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                let ready = client.process_new_packets().unwrap().plaintext_bytes_to_read();
                let mut part = vec![0; ready];
                client.reader().read_exact(&mut part).unwrap();
                at_client.extend(part);
            }
        }
        assert!(at_client == message && at_server == message[..50_000]);
    }
}

#[test]
fn any_certificate_with_its_key_is_accepted_and_told() {
    for (version, told) in VERSIONS {
        let made = device("a");
        let mut client = Client::new(version);
        client.certificate = Some(presents(&made.der, &made.key_pkcs8));
        let (facts, error) = handshake(client, &server());
        let facts = facts.unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!((facts.version, facts.client_chain), (told, vec![made.der]));
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    for (version, _) in VERSIONS {
        let mut client = Client::new(version);
        client.certificate = Some(presents(&device("a").der, &device("b").key_pkcs8));
        let (facts, error) = handshake(client, &server());
        assert_eq!(facts, None);
        assert!(error.unwrap().contains("BadSignature"));
    }
}

/// Elements of a DER sequence's contents.
fn elements(mut contents: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while let [_, length, ..] = contents {
        let (header, length) = match length {
            0x81 => (3, usize::from(contents[2])),
            0x82 => (4, usize::from(contents[2]) << 8 | usize::from(contents[3])),
            short => (2, usize::from(*short)),
        };
        let (element, rest) = contents.split_at(header + length);
        out.push(element);
        contents = rest;
    }
    out
}

fn contents(element: &[u8]) -> &[u8] {
    let header = match element[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    &element[header..]
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82, length[0], length[1]], &body[..]].concat()
}

/// The same certificate as X.509 version 1: no version, no extensions.
fn version_1(made: &DeviceCertificate) -> Vec<u8> {
    let parts = elements(contents(&made.der));
    let fields: Vec<&[u8]> =
        elements(contents(parts[0])).into_iter().filter(|field| !matches!(field[0], 0xA0 | 0xA3)).collect();
    let tbs = sequence(&fields);
    let key = p256::ecdsa::SigningKey::from_pkcs8_der(&made.key_pkcs8).unwrap();
    let signature: p256::ecdsa::Signature = key.sign(&tbs);
    let signature = signature.to_der();
    let length = u8::try_from(signature.as_bytes().len() + 1).unwrap();
    let bits = [&[0x03, length, 0], signature.as_bytes()].concat();
    sequence(&[&tbs, parts[1], &bits])
}

#[test]
fn version_1_certificates_are_accepted_with_their_key_only() {
    let v1 = version_1(&device("a"));
    for (version, _) in VERSIONS {
        for (key, accepted) in [("a", true), ("b", false)] {
            let mut client = Client::new(version);
            client.certificate = Some(presents(&v1, &device(key).key_pkcs8));
            let (facts, error) = handshake(client, &server());
            assert_eq!(
                facts.map(|facts| facts.client_chain == [v1.clone()]),
                accepted.then_some(true),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a_malformed_certificate_is_refused() {
    let made = device("a");
    let mut client = Client::new(&rustls::version::TLS13);
    client.certificate = Some(presents(&made.der[..100], &made.key_pkcs8));
    let (facts, error) = handshake(client, &server());
    assert_eq!(facts, None);
    assert!(error.unwrap().contains("BadEncoding"));
}

#[test]
fn a_client_that_names_no_server_is_served() {
    let mut client = Client::new(&rustls::version::TLS13);
    client.server_name = "10.77.0.10";
    let (facts, error) = handshake(client, &server());
    assert_eq!(facts.unwrap_or_else(|| panic!("{error:?}")).sni, None);
}

fn rsa_and_p256() -> [ServerIdentity; 2] {
    let p256 = authority().issue_server(&[HOST], Validity::WIDE).unwrap();
    [p256, authority().issue_rsa_server(&[HOST], Validity::WIDE).unwrap()]
}

#[test]
fn a_client_without_ecdsa_gets_the_rsa_certificate_and_a_client_on_p384_is_served() {
    let server = TlsServer::new(&rsa_and_p256(), None).unwrap();
    let mut rsa_only = Client::new(&rustls::version::TLS12);
    rsa_only.provider.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("RSA_WITH"));
    let (facts, error) = handshake(rsa_only, &server);
    let suite = facts.unwrap_or_else(|| panic!("{error:?}")).suite;
    assert!(suite.starts_with("TLS_ECDHE_RSA"), "{suite}");

    let mut p384 = Client::new(&rustls::version::TLS12);
    p384.provider.kx_groups = vec![ring::kx_group::SECP384R1];
    let (facts, error) = handshake(p384, &server);
    let suite = facts.unwrap_or_else(|| panic!("{error:?}")).suite;
    assert!(suite.starts_with("TLS_ECDHE_RSA"), "{suite}");
}

#[test]
fn secrets_are_logged_where_a_log_is_given() {
    let log = Arc::new(KeyLogBuffer::new());
    let identity = authority().issue_server(&[HOST], Validity::WIDE).unwrap();
    let server = TlsServer::new(&[identity], Some(log.clone())).unwrap();
    handshake(Client::new(&rustls::version::TLS13), &server);
    handshake(Client::new(&rustls::version::TLS12), &server);
    assert!(log.text().contains("CLIENT_TRAFFIC_SECRET_0 ") && log.text().contains("CLIENT_RANDOM "));
}

#[test]
fn a_close_is_told_to_the_peer_and_noticed_from_it() {
    let (mut client, mut session) =
        (Client::new(&rustls::version::TLS13).connect(), TlsSession::new(&server()).unwrap());
    carry(&mut client, &mut session);
    assert!(!session.peer_closed());
    client.send_close_notify();
    session.close();
    carry(&mut client, &mut session);
    assert!(session.peer_closed());
    assert!(client.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn bytes_that_are_no_tls_end_the_session_with_an_alert() {
    let mut session = TlsSession::new(&server()).unwrap();
    assert!(session.receive(b"\x10\x20MQTT instead of TLS, as a confused device sends it").is_err());
    assert!(session.poll_transmit().is_some());
    assert!(session.receive(b"more").is_err());
}

#[test]
fn a_server_without_identity_is_refused() {
    assert_eq!(TlsServer::new(&[], None).unwrap_err().to_string(), "no server certificate given");
}
