//! Hub messages a second: telemetry of quality of service 1 over MQTT, in memory, from bytes to fact and
//! PUBACK. The baselines put the figure in proportion: copying the same packet, and parsing its payload.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use divan::Bencher;
use divan::counter::ItemsCount;
use hilarm_hub::{DeviceAuthentication, Hub, HubConfig, Input, Listener, ServiceRequest, SymmetricKey};
use hilarm_model::{ConnectionId, DeviceId, Monotonic, Now, PeerFacts, Timestamp, TlsVersion};
use hmac::{Hmac, Mac};

const MESSAGES: usize = 1_000;
const PAYLOAD: &[u8] = br#"{"temperature":21.5,"humidity":60,"pressure":1013}"#;
const CONNECTION: ConnectionId = ConnectionId(1);

fn main() {
    divan::main();
}

fn now() -> Now {
    Now { mono: Monotonic::default(), unix: Timestamp::from_secs(1_767_225_600) }
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text);
}

/// A packet of 128 to 16,383 bytes.
fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    [&[head, (body.len() % 128) as u8 | 128, (body.len() / 128) as u8], body].concat()
}

fn telemetry(bag: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, format!("devices/pump-1/messages/events/{bag}").as_bytes());
    body.extend([0, 1]);
    body.extend(PAYLOAD);
    body.resize(body.len().max(128), b' ');
    packet(0x32, &body)
}

fn connect(key: &[u8]) -> Vec<u8> {
    let (resource, expiry) = ("hub.hilarm.test%2Fdevices%2Fpump-1", 1_767_229_200);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let token = format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}");
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0xC2, 0, 60];
    text(&mut body, b"pump-1");
    text(&mut body, b"hub.hilarm.test/pump-1/?api-version=2020-09-30");
    text(&mut body, token.as_bytes());
    packet(0x10, &body)
}

fn online() -> Hub {
    let mut hub = Hub::new(HubConfig::default(), 1);
    let key = SymmetricKey::from_bytes([1; 32]).expect("32 bytes");
    let authentication = DeviceAuthentication::Sas { primary: key.clone(), secondary: key.clone() };
    let device = DeviceId::new("pump-1").expect("an id");
    let put = ServiceRequest::PutDevice { device, authentication, security_group: None };
    hub.service(put, now()).expect("the device is put");
    let facts = PeerFacts {
        address: ([10, 42, 0, 2], 49_152).into(),
        sni: None,
        client_chain: Vec::new(),
        version: TlsVersion::Stated,
        suite: "none".into(),
    };
    hub.handle_input(Input::Opened { connection: CONNECTION, listener: Listener::Mqtt, facts }, now());
    hub.handle_input(Input::Received { connection: CONNECTION, bytes: &connect(key.as_bytes()) }, now());
    assert!(hub.poll_output().is_some(), "CONNACK");
    drain(&mut hub);
    hub
}

fn drain(hub: &mut Hub) {
    while let Some(output) = hub.poll_output() {
        black_box(output);
    }
    while let Some(record) = hub.poll_record() {
        black_box(record);
    }
}

#[divan::bench(args = ["", "%24.ct=application%2Fjson&%24.ce=utf-8&line=7"])]
fn hub_messages(bencher: Bencher, bag: &str) {
    let mut hub = online();
    let bytes = telemetry(bag);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for _ in 0..MESSAGES {
            hub.handle_input(Input::Received { connection: CONNECTION, bytes: black_box(&bytes) }, now());
            black_box(hub.poll_timeout(now()));
            drain(&mut hub);
        }
    });
}

#[divan::bench]
fn baseline_copy(bencher: Bencher) {
    let bytes = telemetry("");
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for _ in 0..MESSAGES {
            black_box(black_box(&bytes).clone());
        }
    });
}

#[divan::bench]
fn baseline_json_parse(bencher: Bencher) {
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for _ in 0..MESSAGES {
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(black_box(PAYLOAD));
            black_box(parsed.is_ok());
        }
    });
}
