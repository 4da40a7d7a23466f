//! One hub, clients that speak HTTP, both clocks in hand.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{ConnectionId, DeviceId, HubEvent, Monotonic, Now, PeerFacts, Timestamp, TlsVersion};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{DeviceAuthentication, Hub, HubConfig, Input, Listener, Output, ServiceRequest, SymmetricKey};

const HOST: &str = "hub.hilarm.test";
const T0: i64 = 1_767_225_600;

pub(super) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn key() -> SymmetricKey {
    SymmetricKey::from_bytes([1; 32]).unwrap()
}

/// A token of a device that expires so many seconds after the world began.
pub(super) fn token(name: &str, expiry_s: i64) -> String {
    let resource = format!("{HOST}%2Fdevices%2F{name}");
    let expiry = T0 + expiry_s;
    let signature = STANDARD.encode(key().sign(format!("{resource}\n{expiry}").as_bytes()));
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}

/// A request of pump-1 with a good token.
pub(super) fn request(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    request_with(line, &format!("Authorization: {}\r\n{fields}", token("pump-1", 3600)), body)
}

pub(super) fn request_with(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\n{fields}{length}\r\n");
    [head.as_bytes(), body].concat()
}

/// Telemetry of pump-1.
pub(super) fn event(body: &[u8]) -> Vec<u8> {
    request("POST /devices/pump-1/messages/events?api-version=2020-03-13", "", body)
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) now: Now,
    opened: u64,
}

impl World {
    /// A hub with the devices pump-1 and pump-2; its facts so far are taken.
    pub(super) fn new() -> Self {
        Self::with(HubConfig::default())
    }

    /// The same with other limits.
    pub(super) fn with(config: HubConfig) -> Self {
        let now = Now { mono: Monotonic::default(), unix: Timestamp::from_secs(T0) };
        let mut world = Self { hub: Hub::new(config, 42), now, opened: 0 };
        for name in ["pump-1", "pump-2"] {
            let authentication = DeviceAuthentication::Sas { primary: key(), secondary: key() };
            world.serve(ServiceRequest::PutDevice {
                device: device(name),
                authentication,
                security_group: None,
            });
        }
        world.facts();
        world
    }

    pub(super) fn serve(&mut self, request: ServiceRequest) -> crate::ServiceReply {
        self.hub.service(request, self.now).unwrap()
    }

    pub(super) fn open(&mut self) -> ConnectionId {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        let facts = PeerFacts {
            address: "10.42.0.2:49152".parse().unwrap(),
            sni: None,
            client_chain: Vec::new(),
            version: TlsVersion::Stated,
            suite: "none".into(),
        };
        self.hub.handle_input(Input::Opened { connection, listener: Listener::Https, facts }, self.now);
        connection
    }

    /// Hands bytes in; the answers come back, and whether the hub closed the connection.
    pub(super) fn exchange(&mut self, connection: ConnectionId, bytes: &[u8]) -> (String, bool) {
        self.hub.handle_input(Input::Received { connection, bytes }, self.now);
        self.answers(connection)
    }

    pub(super) fn answers(&mut self, on: ConnectionId) -> (String, bool) {
        let (mut answers, mut closed) = (Vec::new(), false);
        while let Some(output) = self.hub.poll_output() {
            assert!(!closed, "nothing follows a close");
            match output {
                Output::Send { connection, bytes } if connection == on => answers.extend(bytes),
                Output::Close { connection } if connection == on => closed = true,
                other => panic!("{other:?}"),
            }
        }
        (String::from_utf8(answers).unwrap(), closed)
    }

    /// The answer to one request on a connection of its own.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> String {
        let connection = self.open();
        let (answer, closed) = self.exchange(connection, bytes);
        assert!(!closed, "{answer}");
        answer
    }

    pub(super) fn facts(&mut self) -> Vec<HubEvent> {
        std::iter::from_fn(|| self.hub.poll_record()).map(|record| record.event).collect()
    }

    /// Lets time pass on both clocks, stopping at every deadline of the hub.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        while let Some(next) = self.hub.poll_timeout(self.now).filter(|next| *next <= end) {
            self.step_to(next);
            self.hub.handle_timeout(self.now);
        }
        self.step_to(end);
    }

    fn step_to(&mut self, mono: Monotonic) {
        self.now.unix += mono.since(self.now.mono);
        self.now.mono = self.now.mono.max(mono);
    }
}
