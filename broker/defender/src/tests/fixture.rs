//! A small world to fold: records are written as seconds after t0 and an event.

use std::net::SocketAddr;
use std::time::Duration;

use hilarm_model::{
    AgentIdentity, ConnectionId, ConnectionRefused, DeviceId, Flow, FlowProtocol, HubEvent, HubRecord,
    Protocol, RangeRule, RangeRuleType, RefusalCause, RegisteredAuthentication, SecurityEvent, SecurityGroup,
    SecurityPayload, Timestamp, TlsVersion, UsedAuthentication,
};

use crate::{Alert, Defender, parse_threat_list};

pub(crate) const DEVICE: &str = "pump-1";

/// 2026-01-01T00:00:00Z.
const T0: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Seconds after t0.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(T0.as_micros() + seconds * 1_000_000)
}

/// A defender and the way to feed it.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) defender: Defender,
}

impl World {
    /// One device with symmetric keys, in a group without rules; monitoring started at t0.
    pub(crate) fn with_sas_device() -> Self {
        let mut world = Self::default();
        world.see(-10, registered(DEVICE, "default"));
        world.start();
        world
    }

    /// One device with a thumbprint; monitoring started at t0.
    pub(crate) fn with_thumbprint_device() -> Self {
        let mut world = Self::default();
        let authentication =
            RegisteredAuthentication::SelfSigned { primary: "BB".repeat(20), secondary: None };
        world.see(-10, registered_with(DEVICE, "default", authentication));
        world.start();
        world
    }

    /// One device in a group with these rules; monitoring has not started.
    pub(crate) fn provisioned(group: SecurityGroup) -> Self {
        let mut world = Self::default();
        world.see(-10, configured("default", group));
        world.see(-10, registered(DEVICE, "default"));
        world
    }

    pub(crate) fn start(&mut self) {
        self.see(0, HubEvent::MonitoringStarted);
    }

    pub(crate) fn see(&mut self, seconds: i64, event: HubEvent) {
        self.see_at(at(seconds), event);
    }

    pub(crate) fn see_at(&mut self, at: Timestamp, event: HubEvent) {
        self.defender.handle(&HubRecord { at, event });
    }

    /// `count` telemetry messages at the same time.
    pub(crate) fn see_telemetry(&mut self, seconds: i64, device: &str, count: usize) {
        for _ in 0..count {
            self.see(seconds, telemetry(device));
        }
    }

    pub(crate) fn see_accepted_sas(&mut self, seconds: i64, device: &str, expiry: i64) {
        self.see(seconds, accepted(device, UsedAuthentication::Sas { expiry: at(expiry) }));
    }

    pub(crate) fn see_accepted_x509(&mut self, seconds: i64, device: &str, not_after: i64) {
        self.see(
            seconds,
            accepted(device, UsedAuthentication::X509 { not_after: at(not_after), sha256: String::new() }),
        );
    }

    /// A refusal of an id that is not in the identity registry.
    pub(crate) fn see_stranger<const N: usize>(&mut self, seconds: i64, causes: [RefusalCause; N]) {
        let HubEvent::ConnectionRefused(mut refusal) = refused("stranger", causes) else { unreachable!() };
        refusal.registered = false;
        self.see(seconds, HubEvent::ConnectionRefused(refusal));
    }

    /// The only alert there is, which must be of this detection.
    pub(crate) fn only(&self, slug: &str) -> &Alert {
        let [alert] = self.defender.alerts() else { panic!("not one alert: {:#?}", self.defender.alerts()) };
        assert_eq!(alert.slug, slug);
        alert
    }

    /// That there are so many alerts of this detection.
    pub(crate) fn expect(&self, slug: &str, count: usize) {
        let alerts: Vec<_> = self.defender.alerts().iter().filter(|alert| alert.slug == slug).collect();
        assert_eq!(alerts.len(), count, "{alerts:#?}");
    }
}

pub(crate) fn id(device: &str) -> DeviceId {
    DeviceId::new(device).unwrap()
}

pub(crate) fn registered(device: &str, group: &str) -> HubEvent {
    let (primary_sha256, secondary_sha256) = ("11".repeat(32), "22".repeat(32));
    registered_with(device, group, RegisteredAuthentication::Sas { primary_sha256, secondary_sha256 })
}

fn registered_with(device: &str, group: &str, authentication: RegisteredAuthentication) -> HubEvent {
    HubEvent::DeviceRegistered { device: id(device), authentication, security_group: group.to_owned() }
}

/// A group that allows `min..=max` telemetry messages over MQTT in windows of `seconds`.
pub(crate) fn group(min: u64, max: u64, seconds: u64) -> SecurityGroup {
    let rule = RangeRule::new(min, max, Duration::from_secs(seconds)).unwrap();
    SecurityGroup { ranges: [(RangeRuleType::MqttD2CMessages, rule)].into(), ..SecurityGroup::default() }
}

pub(crate) fn configured(name: &str, group: SecurityGroup) -> HubEvent {
    HubEvent::SecurityGroupConfigured { name: name.to_owned(), group }
}

pub(crate) fn threats(list: &str) -> HubEvent {
    HubEvent::ThreatListLoaded(parse_threat_list(list).unwrap())
}

fn peer() -> SocketAddr {
    "10.42.0.2:49152".parse().unwrap()
}

fn accepted(device: &str, authentication: UsedAuthentication) -> HubEvent {
    HubEvent::ConnectionAccepted {
        connection: ConnectionId(1),
        device: id(device),
        module: None,
        protocol: Protocol::Mqtt,
        peer: peer(),
        authentication,
        tls: TlsVersion::Tls13,
        session_present: false,
    }
}

pub(crate) fn refused<const N: usize>(device: &str, causes: [RefusalCause; N]) -> HubEvent {
    HubEvent::ConnectionRefused(ConnectionRefused {
        connection: ConnectionId(1),
        device: Some(id(device)),
        registered: true,
        protocol: Protocol::Mqtt,
        peer: peer(),
        causes: causes.to_vec(),
    })
}

pub(crate) fn mismatch() -> RefusalCause {
    RefusalCause::X509ThumbprintMismatch { sha1: "AA".repeat(20), sha256: "AA".repeat(32) }
}

pub(crate) fn telemetry(device: &str) -> HubEvent {
    telemetry_by(device, Protocol::Mqtt)
}

pub(crate) fn telemetry_by(device: &str, protocol: Protocol) -> HubEvent {
    HubEvent::TelemetryReceived {
        device: id(device),
        module: None,
        protocol,
        payload_bytes: 12,
        duplicate: false,
    }
}

/// A retransmission over MQTT.
pub(crate) fn duplicate(device: &str) -> HubEvent {
    let protocol = Protocol::Mqtt;
    HubEvent::TelemetryReceived {
        device: id(device),
        module: None,
        protocol,
        payload_bytes: 12,
        duplicate: true,
    }
}

pub(crate) fn flow(remote: &str, bytes_in: u64, bytes_out: u64) -> Flow {
    Flow {
        protocol: FlowProtocol::Tcp,
        local_address: "10.42.0.2".parse().unwrap(),
        local_port: 49152,
        remote_address: remote.parse().unwrap(),
        remote_port: 1883,
        bytes_in,
        bytes_out,
        direction: None,
    }
}

/// A security message that reports these flows, as of an agent whose clock is years behind.
pub(crate) fn report(device: &str, flows: Vec<Flow>) -> HubEvent {
    security_message(device, SecurityPayload::NetworkActivity(flows))
}

pub(crate) fn heartbeat(device: &str) -> HubEvent {
    security_message(device, SecurityPayload::Heartbeat)
}

fn security_message(device: &str, payload: SecurityPayload) -> HubEvent {
    let event =
        SecurityEvent { id: "00".repeat(16), agent_time: 1, collection_interval_s: Some(10), payload };
    HubEvent::SecurityMessageReceived {
        device: id(device),
        module: None,
        agent: AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() },
        events: vec![event],
    }
}
