//! A small world to fold: records are written as seconds after t0 and an event.

use std::net::SocketAddr;
use std::time::Duration;

use hilarm_model::{
    AgentIdentity, AllowList, AllowRuleType, CertificateChange, ConnectionId, ConnectionRefused, DeadLetter,
    DeviceId, FilterAction, FilterRule, Flow, FlowProtocol, HubEvent, HubRecord, ListeningPort, Login,
    MethodOutcome, ModuleId, NetworkRules, Operation, ProcessCreate, Protocol, RangeRule, RangeRuleType,
    RefusalCause, RegisteredAuthentication, SecurityEvent, SecurityGroup, SecurityPayload, Timestamp,
    TlsVersion, TwinSection, UsedAuthentication,
};

use crate::{Alert, Defender, Recommendation, RecommendationState, parse_threat_list};

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

    /// The alerts of this detection.
    pub(crate) fn alerts(&self, slug: &str) -> Vec<&Alert> {
        self.defender.alerts().iter().filter(|alert| alert.slug == slug).collect()
    }

    /// The recommendation of this kind, while it is active.
    pub(crate) fn active(&self, slug: &str) -> Option<&Recommendation> {
        self.recommendation(slug, RecommendationState::Active)
    }

    /// The recommendation of this kind, once it is resolved.
    pub(crate) fn resolved(&self, slug: &str) -> Option<&Recommendation> {
        self.recommendation(slug, RecommendationState::Resolved)
    }

    fn recommendation(&self, slug: &str, state: RecommendationState) -> Option<&Recommendation> {
        self.defender.recommendations().iter().find(|known| known.slug == slug && known.state == state)
    }

    /// That there are so many alerts of this detection.
    pub(crate) fn expect(&self, slug: &str, count: usize) {
        let alerts = self.alerts(slug);
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
    ranged(RangeRuleType::MqttD2CMessages, min, max, seconds)
}

/// A group with one range rule.
pub(crate) fn ranged(rule: RangeRuleType, min: u64, max: u64, seconds: u64) -> SecurityGroup {
    let range = RangeRule::new(min, max, Duration::from_secs(seconds)).unwrap();
    SecurityGroup { ranges: [(rule, range)].into(), ..SecurityGroup::default() }
}

/// A group with one allow list of networks.
pub(crate) fn allowing(rule: AllowRuleType, networks: &[&str]) -> SecurityGroup {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    SecurityGroup { allow_lists: [(rule, AllowList::Networks(networks))].into(), ..SecurityGroup::default() }
}

/// A group with one allow list of names.
pub(crate) fn allowing_names(rule: AllowRuleType, names: &[&str]) -> SecurityGroup {
    let names = names.iter().map(ToString::to_string).collect();
    SecurityGroup { allow_lists: [(rule, AllowList::Names(names))].into(), ..SecurityGroup::default() }
}

/// A device with the digests of these keys.
pub(crate) fn keyed(device: &str, primary: &str, secondary: &str) -> HubEvent {
    let (primary_sha256, secondary_sha256) = (primary.to_owned(), secondary.to_owned());
    registered_with(device, "default", RegisteredAuthentication::Sas { primary_sha256, secondary_sha256 })
}

/// A device with these thumbprints.
pub(crate) fn thumbprinted(device: &str, primary: &str, secondary: Option<&str>) -> HubEvent {
    let (primary, secondary) = (primary.to_owned(), secondary.map(str::to_owned));
    registered_with(device, "default", RegisteredAuthentication::SelfSigned { primary, secondary })
}

pub(crate) fn removed(device: &str) -> HubEvent {
    HubEvent::DeviceRemoved { device: id(device) }
}

pub(crate) fn status(device: &str, enabled: bool) -> HubEvent {
    HubEvent::DeviceStatusChanged { device: id(device), enabled }
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

/// A message that reports these logins or processes.
pub(crate) fn reports<const N: usize>(device: &str, payloads: [SecurityPayload; N]) -> HubEvent {
    security_message_of(device, payloads.to_vec())
}

pub(crate) fn login(user: &str, success: bool) -> SecurityPayload {
    let (user, executable) = (user.to_owned(), "/sbin/login".to_owned());
    SecurityPayload::Login(Login { user, success, executable, remote_address: None })
}

pub(crate) fn process(executable: &str) -> SecurityPayload {
    let command_line = format!("{executable} --daemon");
    let (executable, user) = (executable.to_owned(), "root".to_owned());
    SecurityPayload::ProcessCreate(ProcessCreate { executable, command_line, user })
}

/// A report of the TCP ports on which a device listens.
pub(crate) fn listening(device: &str, ports: &[u16]) -> HubEvent {
    let address = "0.0.0.0".parse().unwrap();
    let port = |port: &u16| ListeningPort { protocol: FlowProtocol::Tcp, address, port: *port };
    security_message(device, SecurityPayload::ListeningPorts(ports.iter().map(port).collect()))
}

fn security_message(device: &str, payload: SecurityPayload) -> HubEvent {
    security_message_of(device, vec![payload])
}

fn security_message_of(device: &str, payloads: Vec<SecurityPayload>) -> HubEvent {
    let event = |payload| SecurityEvent {
        id: "00".repeat(16),
        agent_time: 1,
        collection_interval_s: Some(10),
        payload,
    };
    HubEvent::SecurityMessageReceived {
        device: id(device),
        module: None,
        agent: AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() },
        events: payloads.into_iter().map(event).collect(),
    }
}

pub(crate) fn accepted_leaf(device: &str, sha256: &str) -> HubEvent {
    accepted(device, UsedAuthentication::X509 { not_after: at(9_999), sha256: sha256.to_owned() })
}

pub(crate) fn operation_refused(device: &str) -> HubEvent {
    let topic = "devices/another/messages/events/".to_owned();
    HubEvent::OperationRefused { device: id(device), operation: Operation::Publish { topic } }
}

pub(crate) fn service_refused(device: Option<&str>) -> HubEvent {
    service_refused_with(device, 401_003)
}

pub(crate) fn service_refused_with(device: Option<&str>, code: u32) -> HubEvent {
    HubEvent::ServiceOperationRefused {
        device: device.map(id),
        operation: "direct method".into(),
        caller: "registryRead".into(),
        code,
    }
}

pub(crate) fn enqueued(device: &str, number: u64, protocol: Option<Protocol>) -> HubEvent {
    HubEvent::CloudToDeviceEnqueued { device: id(device), message_id: number.to_string(), protocol }
}

pub(crate) fn delivered(device: &str, number: u64, protocol: Protocol) -> HubEvent {
    HubEvent::CloudToDeviceDelivered { device: id(device), message_id: number.to_string(), protocol }
}

pub(crate) fn rejected(device: &str, number: u64, protocol: Protocol) -> HubEvent {
    HubEvent::CloudToDeviceRejected { device: id(device), message_id: number.to_string(), protocol }
}

pub(crate) fn expired(device: &str, number: u64, delivered_over: Option<Protocol>) -> HubEvent {
    let (message_id, outcome) = (number.to_string(), DeadLetter::Expired);
    HubEvent::CloudToDeviceDeadLettered { device: id(device), message_id, outcome, delivered_over }
}

pub(crate) fn dead_lettered(device: &str, outcome: DeadLetter, delivered_over: Option<Protocol>) -> HubEvent {
    let message_id = "1".to_owned();
    HubEvent::CloudToDeviceDeadLettered { device: id(device), message_id, outcome, delivered_over }
}

pub(crate) fn invoked(device: &str, outcome: MethodOutcome) -> HubEvent {
    HubEvent::DirectMethodInvoked { device: id(device), method: "reboot".into(), outcome }
}

pub(crate) fn uploaded(device: &str, success: bool) -> HubEvent {
    HubEvent::FileUploadCompleted { device: id(device), blob: "log.txt".into(), blob_bytes: 9, success }
}

pub(crate) fn purged(device: &str, messages: u64) -> HubEvent {
    HubEvent::QueuePurged { device: id(device), messages }
}

pub(crate) fn twin_updated(device: &str, of_module: bool, section: TwinSection) -> HubEvent {
    let module = of_module.then(|| ModuleId::new("agent").unwrap());
    HubEvent::TwinUpdated { device: id(device), module, section, version: 2 }
}

pub(crate) fn certificate_written(name: &str, status: u16, change: Option<CertificateChange>) -> HubEvent {
    HubEvent::CertificateWritten { name: name.into(), status, change, caller: "alice".into() }
}

pub(crate) fn certificate_deleted(name: &str, status: u16, existed: bool) -> HubEvent {
    HubEvent::CertificateDeleted { name: name.into(), status, existed, caller: "alice".into() }
}

pub(crate) fn diagnostic_setting_written(name: &str, status: u16, categories: &[&str]) -> HubEvent {
    let enabled_categories = categories.iter().map(ToString::to_string).collect();
    HubEvent::DiagnosticSettingWritten {
        name: name.into(),
        status,
        enabled_categories,
        caller: "alice".into(),
    }
}

pub(crate) fn diagnostic_setting_deleted(name: &str, status: u16, existed: bool) -> HubEvent {
    HubEvent::DiagnosticSettingDeleted { name: name.into(), status, existed, caller: "alice".into() }
}

/// `networkRuleSets` with this default; the rules are named `rule-0` and so on.
pub(crate) fn network_rules(default_action: FilterAction, rules: &[(FilterAction, &str)]) -> HubEvent {
    HubEvent::NetworkRulesChanged(NetworkRules { default_action, rules: filter_rules(rules), stated: true })
}

/// The older model's `ipFilterRules`.
pub(crate) fn unstated_rules(rules: &[(FilterAction, &str)]) -> HubEvent {
    HubEvent::NetworkRulesChanged(NetworkRules { rules: filter_rules(rules), ..NetworkRules::default() })
}

fn filter_rules(rules: &[(FilterAction, &str)]) -> Vec<FilterRule> {
    let rule = |(number, (action, network)): (usize, &(FilterAction, &str))| FilterRule {
        name: format!("rule-{number}"),
        action: *action,
        network: network.parse().unwrap(),
    };
    rules.iter().enumerate().map(rule).collect()
}
