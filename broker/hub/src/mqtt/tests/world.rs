//! One hub, clients that speak packets, both clocks in hand.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{
    CloseReason, ConnectionId, DeviceId, HubEvent, Monotonic, Now, PeerFacts, Timestamp, TlsVersion,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::mqtt::client_packets::encode;
use crate::mqtt::codec::{Connect, Packet, PacketId, Publish, QoS, Subscribe, Will};
use crate::{DeviceAuthentication, Hub, HubConfig, Input, Listener, Output, ServiceRequest, SymmetricKey};

pub(super) const HOST: &str = "hub.hilarm.test";
pub(super) const T0: i64 = 1_767_225_600;

pub(super) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub(super) fn key() -> SymmetricKey {
    SymmetricKey::from_bytes([1; 32]).unwrap()
}

/// A token of a device that expires so many seconds after T0.
pub(super) fn token(name: &str, expiry_s: i64) -> String {
    let resource = format!("{HOST}%2Fdevices%2F{name}");
    let expiry = T0 + expiry_s;
    let signature = STANDARD.encode(key().sign(format!("{resource}\n{expiry}").as_bytes()));
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) now: Now,
    opened: u64,
}

/// How a client connects.
pub(super) struct Login<'a> {
    pub(super) client_id: &'a str,
    pub(super) token: Option<String>,
    pub(super) clean: bool,
    pub(super) keep_alive_s: u16,
    pub(super) will: Option<Will<'a>>,
}

pub(super) fn login(client_id: &str) -> Login<'_> {
    let token = Some(token(client_id, 3_600));
    Login { client_id, token, clean: true, keep_alive_s: 60, will: None }
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

    pub(super) fn send_to(&mut self, name: &str, message_id: &str) {
        self.serve(ServiceRequest::SendCloudToDevice {
            device: device(name),
            message_id: message_id.into(),
            payload: b"stop".to_vec(),
            properties: BTreeMap::from([("a b".into(), "1/2".into())]),
            ttl: None,
        });
    }

    pub(super) fn open(&mut self) -> ConnectionId {
        self.open_with(Vec::new())
    }

    pub(super) fn open_with(&mut self, client_chain: Vec<Vec<u8>>) -> ConnectionId {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        let facts = PeerFacts {
            address: "10.42.0.2:49152".parse().unwrap(),
            sni: None,
            client_chain,
            version: TlsVersion::Stated,
            suite: "none".into(),
        };
        self.hub.handle_input(Input::Opened { connection, listener: Listener::Mqtt, facts }, self.now);
        connection
    }

    pub(super) fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.hub.handle_input(Input::Received { connection, bytes }, self.now);
    }

    pub(super) fn packet(&mut self, connection: ConnectionId, packet: &Packet<'_>) {
        self.receive(connection, &encode(packet));
    }

    pub(super) fn log_in_on(&mut self, connection: ConnectionId, login: &Login<'_>) {
        let user_name = format!("{HOST}/{}/?api-version=2020-09-30", login.client_id);
        self.packet(
            connection,
            &Packet::Connect(Connect {
                clean_session: login.clean,
                keep_alive_s: login.keep_alive_s,
                client_id: login.client_id,
                will: login.will,
                user_name: Some(&user_name),
                password: login.token.as_deref().map(str::as_bytes),
            }),
        );
    }

    pub(super) fn log_in(&mut self, login: &Login<'_>) -> ConnectionId {
        let connection = self.open();
        self.log_in_on(connection, login);
        connection
    }

    /// Connects a device and drops what the hub said and recorded about it.
    pub(super) fn online(&mut self, name: &str) -> ConnectionId {
        let connection = self.log_in(&login(name));
        assert_eq!(self.sent(connection), [vec![0x20, 2, 0, 0]]);
        self.facts();
        connection
    }

    pub(super) fn publish(&mut self, connection: ConnectionId, topic: &str, payload: &[u8]) {
        let id = PacketId::new(7);
        let publish = Publish { duplicate: false, retain: false, topic, id, payload };
        self.packet(connection, &Packet::Publish(publish));
    }

    pub(super) fn subscribe(&mut self, connection: ConnectionId, filter: &str, qos: QoS) {
        let id = PacketId::new(9).unwrap();
        self.packet(connection, &Packet::Subscribe(Subscribe { id, filters: vec![(filter, qos)] }));
    }

    pub(super) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.hub.poll_output()).collect()
    }

    /// What the hub sent on one connection; anything else it did meanwhile is a failure.
    pub(super) fn sent(&mut self, on: ConnectionId) -> Vec<Vec<u8>> {
        let bytes = |output| match output {
            Output::Send { connection, bytes } if connection == on => bytes,
            other => panic!("{other:?}"),
        };
        self.outputs().into_iter().map(bytes).collect()
    }

    /// Publishes of the hub: first byte, topic, and what follows the topic.
    pub(super) fn published(&mut self, on: ConnectionId) -> Vec<(u8, String, Vec<u8>)> {
        let publishes = self.sent(on).into_iter().filter(|bytes| bytes[0] >> 4 == 3);
        publishes
            .map(|bytes| {
                let header = 1 + bytes[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
                let length = usize::from(bytes[header]) << 8 | usize::from(bytes[header + 1]);
                let (topic, rest) = bytes[header + 2..].split_at(length);
                (bytes[0], String::from_utf8(topic.to_vec()).unwrap(), rest.to_vec())
            })
            .collect()
    }

    pub(super) fn facts(&mut self) -> Vec<HubEvent> {
        std::iter::from_fn(|| self.hub.poll_record()).map(|record| record.event).collect()
    }

    /// Why connections ended, in order.
    pub(super) fn endings(&mut self) -> Vec<(u64, CloseReason)> {
        let ending = |event| match event {
            HubEvent::ConnectionClosed { connection, reason, .. } => Some((connection.0, reason)),
            _ => None,
        };
        self.facts().into_iter().filter_map(ending).collect()
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

    /// The calendar jumps; monotonic time stays.
    pub(super) fn advance(&mut self, duration: Duration) {
        let from = self.now.unix;
        self.now.unix += duration;
        self.hub.calendar_advanced(from, self.now);
    }
}
