//! The server over real sockets, with rustls clients of several kinds and with peers that mean no good.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::net::SocketAddr;
use std::time::Duration;

use hilarm_model::{CloseReason, HubEvent, RefusalCause, Timestamp, TlsVersion, UsedAuthentication};
use hilarm_server::{Server, ServerConfig, ServerError};
use hilarm_tls::DeviceCertificate;
use rustls::SignatureScheme;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

mod support;

use support::*;

const PUMP: &str = "pump-1";
const PUBACK: [u8; 4] = [0x40, 2, 0, 1];
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_check_tells_a_hub_that_serves_from_one_that_does_not() {
    let server = running().await;
    let state = server.ca_path.parent().unwrap();
    hilarm_server::check(server.address, state, Duration::from_secs(10)).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let without_authority = hilarm_server::check(server.address, other.path(), SHORT).await.unwrap_err();
    assert!(without_authority.to_string().starts_with("read the authority"), "{without_authority}");
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refused = hilarm_server::check(nobody.local_addr().unwrap(), state, Duration::from_secs(10)).await;
    assert!(refused.unwrap_err().to_string().starts_with("reach a hub"));
    server.stop().await;
}

async fn running() -> Running {
    Running::start(config(vec![sas_device(PUMP)])).await
}

/// CONNECT and telemetry of the pump are accepted.
async fn converses(server: &mut Running, client: Client<'_>) -> TlsVersion {
    let mut stream = server.tls(client).await.unwrap();
    let password = token(PUMP, unix_now() + 3600);
    ask(&mut stream, &connect(PUMP, Some(&password)), &CONNACK).await;
    ask(&mut stream, &telemetry(PUMP, 1, b"warm"), &PUBACK).await;
    stream.write_all(&[0xE0, 0]).await.unwrap();
    stream.flush().await.unwrap();
    ended(&mut stream).await;
    let tls = server.record("the connection", |event| match event {
        HubEvent::ConnectionAccepted { device, tls, .. } if device.as_str() == PUMP => Some(tls),
        _ => None,
    });
    let tls = tls.await;
    let received =
        |event| matches!(event, HubEvent::TelemetryReceived { payload_bytes: 4, .. }).then_some(());
    server.record("the telemetry", received).await;
    let closed = |event| match event {
        HubEvent::ConnectionClosed { reason, .. } => Some(reason),
        _ => None,
    };
    assert_eq!(server.record("the end", closed).await, CloseReason::Disconnected);
    tls
}

#[tokio::test]
async fn serves_tls_1_2_and_1_3() {
    let mut server = running().await;
    let old = Client { version: Some(&rustls::version::TLS12), ..Client::default() };
    assert_eq!(converses(&mut server, old).await, TlsVersion::Tls12);
    let new = Client { version: Some(&rustls::version::TLS13), ..Client::default() };
    assert_eq!(converses(&mut server, new).await, TlsVersion::Tls13);
}

#[tokio::test]
async fn serves_clients_that_verify_rsa_only_and_ecdsa_only() {
    let mut server = running().await;
    // The authority's own signature is ECDSA in both cases; what differs is the server's key.
    let rsa: &[_] = &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
    let ecdsa: &[_] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
    for schemes in [rsa, ecdsa] {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let client = Client { version: Some(version), schemes: Some(schemes), ..Client::default() };
            converses(&mut server, client).await;
        }
    }
}

#[tokio::test]
async fn serves_a_client_without_server_name() {
    let mut server = running().await;
    converses(&mut server, Client { no_sni: true, ..Client::default() }).await;
}

fn certificate(key_name: &str) -> DeviceCertificate {
    let day = 86_400;
    let (from, to) = (Timestamp::from_secs(unix_now() - day), Timestamp::from_secs(unix_now() + day));
    DeviceCertificate::self_signed(1, PUMP, from, to, key_name).unwrap()
}

#[tokio::test]
async fn a_client_certificate_with_the_registered_thumbprint_is_accepted() {
    let certificate = certificate("right");
    let mut server = Running::start(config(vec![x509_device(PUMP, &certificate.sha1_thumbprint)])).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pair = (&certificate.der[..], &certificate.key_pkcs8[..]);
        let client = Client { version: Some(version), certificate: Some(pair), ..Client::default() };
        let mut stream = server.tls(client).await.unwrap();
        ask(&mut stream, &connect(PUMP, None), &CONNACK).await;
        let used = server.record("the connection", |event| match event {
            HubEvent::ConnectionAccepted { authentication, .. } => Some(authentication),
            _ => None,
        });
        assert!(matches!(used.await, UsedAuthentication::X509 { .. }));
    }
}

#[tokio::test]
async fn a_client_certificate_with_another_thumbprint_is_refused_by_the_hub_not_by_tls() {
    let (right, wrong) = (certificate("right"), certificate("wrong"));
    let mut server = Running::start(config(vec![x509_device(PUMP, &right.sha256_thumbprint)])).await;
    let client = Client { certificate: Some((&wrong.der, &wrong.key_pkcs8)), ..Client::default() };
    let mut stream = server.tls(client).await.unwrap();
    ask(&mut stream, &connect(PUMP, None), &NOT_AUTHORIZED).await;
    assert!(ended(&mut stream).await.is_empty());
    let causes = server.record("the refusal", |event| match event {
        HubEvent::ConnectionRefused(refused) => Some(refused.causes),
        _ => None,
    });
    let (sha1, sha256) = (wrong.sha1_thumbprint, wrong.sha256_thumbprint);
    assert_eq!(causes.await, [RefusalCause::X509ThumbprintMismatch { sha1, sha256 }]);
}

#[tokio::test]
async fn an_expired_token_raises_an_alert() {
    let mut server = running().await;
    let mut stream = server.tls(Client::default()).await.unwrap();
    let password = token(PUMP, unix_now() - 60);
    ask(&mut stream, &connect(PUMP, Some(&password)), &NOT_AUTHORIZED).await;
    assert_eq!(server.alert().await.slug, "sas-expired");
}

#[tokio::test]
async fn hostile_first_bytes_end_their_connection_and_no_other() {
    let mut server = running().await;
    let zeros = [0; 4096];
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n"[..],
        &connect(PUMP, Some("plain text")),
        b"\x16\x03\x01\xFF\xFF\x01\xFF\xFF\xFF",
        &[0x80, 0x2E, 1, 0, 2],
        &zeros,
    ] {
        let mut tcp = server.tcp().await;
        tcp.write_all(bytes).await.unwrap();
        tcp.shutdown().await.unwrap();
        ended(&mut tcp).await;
    }
    converses(&mut server, Client::default()).await;
}

#[tokio::test]
async fn garbage_inside_tls_is_a_recorded_violation() {
    let mut server = running().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xC0, 0], &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]] {
        let mut stream = server.tls(Client::default()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        assert!(ended(&mut stream).await.is_empty(), "{bytes:?}");
        let violated = |event| matches!(event, HubEvent::ProtocolViolated { .. }).then_some(());
        server.record("the violation", violated).await;
    }
    converses(&mut server, Client::default()).await;
}

#[tokio::test]
async fn a_half_open_connection_is_closed_in_time() {
    let mut config = config(vec![]);
    config.handshake_timeout = SHORT;
    let server = Running::start(config).await;
    for bytes in [&b""[..], b"\x16\x03\x01"] {
        let mut tcp = server.tcp().await;
        tcp.write_all(bytes).await.unwrap();
        assert!(ended(&mut tcp).await.is_empty());
    }
}

#[tokio::test]
async fn a_connection_without_a_connect_is_closed_in_time_and_recorded() {
    let mut config = config(vec![]);
    config.first_packet_timeout = SHORT;
    let mut server = Running::start(config).await;
    let mut stream = server.tls(Client::default()).await.unwrap();
    stream.write_all(&[0x10]).await.unwrap();
    stream.flush().await.unwrap();
    assert!(ended(&mut stream).await.is_empty());
    let closed = |event| match event {
        HubEvent::ConnectionClosed { reason, .. } => Some(reason),
        _ => None,
    };
    assert_eq!(server.record("the end", closed).await, CloseReason::ConnectTimeout);
}

#[tokio::test]
async fn a_peer_that_never_reads_is_cut_off() {
    let mut config = config(vec![sas_device(PUMP)]);
    config.write_timeout = SHORT;
    let mut server = Running::start(config).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let tcp = socket.connect(server.address).await.unwrap();
    let mut stream = server.tls_over(Client::default(), tcp).await.unwrap();
    let password = token(PUMP, unix_now() + 3600);
    ask(&mut stream, &connect(PUMP, Some(&password)), &CONNACK).await;
    let pings = [0xC0, 0].repeat(8192);
    soon("the cut", async {
        while stream.write_all(&pings).await.is_ok() && stream.flush().await.is_ok() {}
    })
    .await;
    let closed = |event| matches!(event, HubEvent::ConnectionClosed { .. }).then_some(());
    server.record("the end", closed).await;
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_the_address() {
    let server = running().await;
    let mut config = config(vec![]);
    config.mqtt_port = server.address.port();
    in_use(config.clone(), server.address).await;
    (config.mqtt_port, config.https_port) = (0, Some(server.https.port()));
    in_use(config, server.https).await;
}

async fn in_use(config: ServerConfig, taken: SocketAddr) {
    let error = Server::bind(config).await.unwrap_err();
    assert!(matches!(error, ServerError::AddressInUse { address } if address == taken), "{error}");
    assert!(error.to_string().contains(&taken.to_string()));
}

#[tokio::test]
async fn the_end_of_the_server_ends_its_connections_and_records_them() {
    let server = running().await;
    let mut stream = server.tls(Client::default()).await.unwrap();
    let password = token(PUMP, unix_now() + 3600);
    ask(&mut stream, &connect(PUMP, Some(&password)), &CONNACK).await;
    let reading = tokio::spawn(async move { ended(&mut stream).await });
    let rest = server.stop().await;
    assert!(reading.await.unwrap().is_empty());
    let closed = |event: &HubEvent| matches!(event, HubEvent::ConnectionClosed { .. });
    assert_eq!(rest.iter().filter(|event| closed(event)).count(), 1);
}

#[tokio::test]
async fn connection_strings_come_in_the_order_of_the_devices() {
    let server = Server::bind(config(vec![sas_device("b"), sas_device("a")])).await.unwrap();
    let strings = server.connection_strings();
    assert!(strings[0].starts_with("HostName=hub.hilarm.test;DeviceId=b;SharedAccessKey="));
    assert!(strings[1].contains(";DeviceId=a;"));
}
