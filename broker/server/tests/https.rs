//! Device HTTPS over real sockets: telemetry, cloud-to-device messages and uploads with their blobs, as hub.md
//! section 4 describes them, by a client that writes its requests byte by byte.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use hilarm_hub::ServiceRequest;
use hilarm_model::{
    CloseReason, DeviceId, HubEvent, Protocol, RefusalCause, Timestamp, TlsVersion, UsedAuthentication,
};
use hilarm_server::ServerConfig;
use hilarm_tls::DeviceCertificate;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

mod support;

use support::*;

const PUMP: &str = "pump-1";
const EVENTS: &str = "POST /devices/pump-1/messages/events?api-version=2020-03-13";
const NEXT: &str = "GET /devices/pump-1/messages/devicebound?api-version=2020-03-13";

/// An answer, read to its end and no further.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn exchange(stream: &mut TlsStream<TcpStream>, line: &str, fields: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n{fields}\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    stream.flush().await.unwrap();
    soon("an answer", answer(stream)).await
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Vec::new() };
    let length = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
    answer.body = vec![0; length];
    stream.read_exact(&mut answer.body).await.unwrap();
    answer
}

fn authorized() -> String {
    format!("Authorization: {}\r\n", token(PUMP, unix_now() + 3600))
}

/// A hub with the pump, and these messages waiting for it.
fn with_messages(messages: &[&str]) -> ServerConfig {
    let mut config = config(vec![sas_device(PUMP)]);
    let waiting = messages.iter().map(|text| ServiceRequest::SendCloudToDevice {
        device: DeviceId::new(PUMP).unwrap(),
        message_id: (*text).to_owned(),
        payload: text.as_bytes().to_vec(),
        properties: [("colour".to_owned(), "red".to_owned())].into(),
        ttl: None,
    });
    config.provisioning = waiting.collect();
    config
}

#[tokio::test]
async fn telemetry_is_accepted_over_tls_1_2_and_1_3() {
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let versions =
        [(&rustls::version::TLS12, TlsVersion::Tls12), (&rustls::version::TLS13, TlsVersion::Tls13)];
    for (version, name) in versions {
        let mut stream = server.https(Client { version: Some(version), ..Client::default() }).await;
        for _ in 0..2 {
            let answer = exchange(&mut stream, EVENTS, &authorized(), b"warm").await;
            assert_eq!((answer.status, answer.body.len()), (204, 0));
        }
        let accepted = server.record("the connection", |event| match event {
            HubEvent::ConnectionAccepted { protocol: Protocol::Https, tls, .. } => Some(tls),
            _ => None,
        });
        assert_eq!(accepted.await, name);
        for _ in 0..2 {
            let received = server.record("the telemetry", |event| match event {
                HubEvent::TelemetryReceived { protocol: Protocol::Https, payload_bytes, .. } => {
                    Some(payload_bytes)
                }
                _ => None,
            });
            assert_eq!(received.await, 4);
        }
    }
}

#[tokio::test]
async fn a_message_is_received_abandoned_completed_and_rejected() {
    let mut server = Running::start(with_messages(&["first", "second"])).await;
    let mut stream = server.https(Client::default()).await;
    let fields = authorized();
    let settle = |lock: &str, method: &str, tail: &str| {
        format!("{method} /devices/pump-1/messages/devicebound/{lock}{tail}")
    };

    let first = exchange(&mut stream, NEXT, &fields, b"").await;
    assert_eq!((first.status, &first.body[..]), (200, &b"first"[..]));
    assert_eq!(first.field("iothub-messageid"), Some("first"));
    assert_eq!(first.field("iothub-app-colour"), Some("red"));
    assert_eq!(first.field("iothub-deliverycount"), Some("0"));
    let lock = first.field("etag").unwrap().trim_matches('"').to_owned();
    let abandon = settle(&lock, "POST", "/abandon?api-version=2020-03-13");
    assert_eq!(exchange(&mut stream, &abandon, &fields, b"").await.status, 204);

    let again = exchange(&mut stream, NEXT, &fields, b"").await;
    assert_eq!((&again.body[..], again.field("iothub-deliverycount")), (&b"first"[..], Some("1")));
    let stale = settle(&lock, "DELETE", "?api-version=2020-03-13");
    let lost = exchange(&mut stream, &stale, &fields, b"").await;
    assert_eq!((lost.status, lost.field("iothub-errorcode")), (412, Some("DeviceMessageLockLost")));
    let lock = again.field("etag").unwrap().trim_matches('"').to_owned();
    let complete = settle(&lock, "DELETE", "?api-version=2020-03-13");
    assert_eq!(exchange(&mut stream, &complete, &fields, b"").await.status, 204);

    let second = exchange(&mut stream, NEXT, &fields, b"").await;
    assert_eq!(second.body, b"second");
    let lock = second.field("etag").unwrap().trim_matches('"').to_owned();
    let reject = settle(&lock, "DELETE", "?api-version=2020-03-13&reject");
    assert_eq!(exchange(&mut stream, &reject, &fields, b"").await.status, 204);
    assert_eq!(exchange(&mut stream, NEXT, &fields, b"").await.status, 204, "nothing is left");

    let ended = |event| match event {
        HubEvent::CloudToDeviceAbandoned { message_id, .. } => Some((message_id, "abandoned")),
        HubEvent::CloudToDeviceCompleted { message_id, .. } => Some((message_id, "completed")),
        HubEvent::CloudToDeviceRejected { message_id, .. } => Some((message_id, "rejected")),
        _ => None,
    };
    for (message_id, how) in [("first", "abandoned"), ("first", "completed"), ("second", "rejected")] {
        assert_eq!(server.record(how, ended).await, (message_id.to_owned(), how));
    }
}

#[tokio::test]
async fn a_file_is_uploaded_with_its_blob() {
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let mut stream = server.https(Client::default()).await;
    let fields = authorized();
    let begin = "POST /devices/pump-1/files?api-version=2020-03-13";
    let grant = exchange(&mut stream, begin, &fields, br#"{"blobName":"dump.bin"}"#).await;
    assert_eq!(grant.status, 200);
    let grant = grant.json();
    assert_eq!(grant["hostName"], HOST);

    // A blob store knows no device, only its own token; the client calls on it by a connection of its own.
    let mut blobs = server.https(Client::default()).await;
    let text = |name: &str| grant[name].as_str().unwrap();
    let put = format!("PUT /{}/{}{}", text("containerName"), text("blobName"), text("sasToken"));
    let blob = vec![7; 3 * 1024 * 1024];
    let kind = "x-ms-blob-type: BlockBlob\r\n";
    assert_eq!(exchange(&mut blobs, &put, kind, &blob).await.status, 201);
    let foreign = put.replace("sig=", "sig=x");
    assert_eq!(exchange(&mut blobs, &foreign, kind, b"x").await.status, 403);

    let told = serde_json::json!({
        "correlationId": grant["correlationId"], "isSuccess": true, "statusCode": 201, "statusDescription": "ok",
    });
    let end = "POST /devices/pump-1/files/notifications?api-version=2020-03-13";
    assert_eq!(exchange(&mut stream, end, &fields, told.to_string().as_bytes()).await.status, 204);
    let completed = server.record("the upload", |event| match event {
        HubEvent::FileUploadCompleted { blob, blob_bytes, success, .. } => Some((blob, blob_bytes, success)),
        _ => None,
    });
    assert_eq!(completed.await, ("dump.bin".into(), blob.len() as u64, true));
}

#[tokio::test]
async fn a_bad_token_is_answered_as_iot_hub_does_and_raises_its_alert() {
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let mut stream = server.https(Client::default()).await;
    let good = token(PUMP, unix_now() + 3600);
    let forged = good.replace("&sig=", "&sig=AAAA");
    for (token, slug) in [(token(PUMP, unix_now() - 60), "sas-expired"), (forged, "sas-invalid-signature")] {
        let fields = format!("Authorization: {token}\r\n");
        let refused = exchange(&mut stream, EVENTS, &fields, b"warm").await;
        assert_eq!((refused.status, refused.field("iothub-errorcode")), (401, Some("IotHubUnauthorized")));
        let body = refused.json();
        assert_eq!(body["Message"], "ErrorCode:IotHubUnauthorized;Unauthorized", "no cause is told");
        assert!(body["ExceptionMessage"].as_str().unwrap().starts_with("Tracking ID:"), "{body}");
        assert_eq!(server.alert().await.slug, slug);
    }
    // A refused request does not end its connection.
    let fields = format!("Authorization: {good}\r\n");
    assert_eq!(exchange(&mut stream, EVENTS, &fields, b"warm").await.status, 204);
}

#[tokio::test]
async fn a_client_certificate_is_enough_and_another_is_not() {
    let certificate = |name| {
        let day = 86_400;
        let (from, to) = (Timestamp::from_secs(unix_now() - day), Timestamp::from_secs(unix_now() + day));
        DeviceCertificate::self_signed(1, PUMP, from, to, name).unwrap()
    };
    let (right, wrong) = (certificate("right"), certificate("wrong"));
    let mut server = Running::start(config(vec![x509_device(PUMP, &right.sha256_thumbprint)])).await;
    for (certificate, status) in [(&right, 204), (&wrong, 401)] {
        let pair = (&certificate.der[..], &certificate.key_pkcs8[..]);
        let mut stream = server.https(Client { certificate: Some(pair), ..Client::default() }).await;
        assert_eq!(exchange(&mut stream, EVENTS, "", b"warm").await.status, status);
    }
    let accepted = server.record("the right one", |event| match event {
        HubEvent::ConnectionAccepted { authentication, .. } => Some(authentication),
        _ => None,
    });
    assert!(matches!(accepted.await, UsedAuthentication::X509 { .. }));
    let refused = server.record("the wrong one", |event| match event {
        HubEvent::ConnectionRefused(refused) => Some(refused.causes),
        _ => None,
    });
    assert!(matches!(refused.await[..], [RefusalCause::X509ThumbprintMismatch { .. }]));
}

#[tokio::test]
async fn mqtt_on_the_https_port_is_a_recorded_violation_and_others_are_served_on() {
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let mut stream = server.https(Client::default()).await;
    let password = token(PUMP, unix_now() + 3600);
    stream.write_all(&connect(PUMP, Some(&password))).await.unwrap();
    stream.flush().await.unwrap();
    assert!(ended(&mut stream).await.starts_with(b"HTTP/1.1 400 "));
    let violated = |event| matches!(event, HubEvent::ProtocolViolated { .. }).then_some(());
    server.record("the violation", violated).await;
    let mut stream = server.https(Client::default()).await;
    assert_eq!(exchange(&mut stream, EVENTS, &authorized(), b"warm").await.status, 204);
}

#[tokio::test]
async fn a_request_that_never_ends_is_answered_in_time() {
    let mut config = config(vec![]);
    config.first_packet_timeout = Duration::from_millis(200);
    let mut server = Running::start(config).await;
    let mut stream = server.https(Client::default()).await;
    stream.write_all(b"POST /devices").await.unwrap();
    stream.flush().await.unwrap();
    assert!(ended(&mut stream).await.starts_with(b"HTTP/1.1 408 "));
    let closed = |event| match event {
        HubEvent::ConnectionClosed { reason, .. } => Some(reason),
        _ => None,
    };
    assert_eq!(server.record("the end", closed).await, CloseReason::ConnectTimeout);
}
