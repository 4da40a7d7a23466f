//! The journal that the benches fold: devices with every range rule of their group on.
//!
//! Telemetry mostly, each device sends about twice a minute; besides, everything that a rule counts, agent
//! reports of four flows among it, from ports that change, as those of real clients do. Nothing raises an alert:
//! the ranges are wide, but for one with a minimum, so that every window close looks at every device. A threat
//! list of ten thousand networks is loaded.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hilarm_defender::Defender;
use hilarm_model::{
    AgentIdentity, ConnectionId, DeviceId, Flow, FlowProtocol, HubEvent, HubRecord, Login, MethodOutcome,
    ModuleId, Operation, Protocol, RangeRule, RangeRuleType, RegisteredAuthentication, SecurityEvent,
    SecurityGroup, SecurityPayload, ThreatList, Timestamp, TlsVersion, TwinSection, UsedAuthentication,
};
use ipnet::{IpNet, Ipv4Net};

/// Start of monitoring.
pub(crate) const T0: Timestamp = Timestamp::from_secs(1_767_225_600);
/// Time between two events of one device.
const PACE: Duration = Duration::from_secs(30);

pub(crate) fn device(number: usize) -> DeviceId {
    DeviceId::new(format!("plant-7-pump-{number:06}")).expect("a valid id")
}

/// A defender that monitors this many devices, each of which has sent before.
pub(crate) fn provisioned(devices: usize) -> Defender {
    let mut defender = Defender::new();
    let mut handle = |event| defender.handle(&HubRecord { at: T0, event });
    handle(HubEvent::SecurityGroupConfigured { name: "default".into(), group: every_range_rule() });
    let net = |n: u32| Ipv4Net::new(Ipv4Addr::from(0xc612_0000 + n * 8), 30).expect("a valid prefix");
    let networks = (0..10_000).map(net).map(IpNet::V4).collect();
    handle(HubEvent::ThreatListLoaded(ThreatList { networks }));
    for number in 0..devices {
        let key = |which: &str| format!("{which}{number:063x}");
        let authentication =
            RegisteredAuthentication::Sas { primary_sha256: key("a"), secondary_sha256: key("b") };
        let security_group = "default".into();
        handle(HubEvent::DeviceRegistered { device: device(number), authentication, security_group });
    }
    handle(HubEvent::MonitoringStarted);
    (0..devices).map(device).for_each(|device| handle(telemetry(device, Protocol::Mqtt)));
    defender
}

fn every_range_rule() -> SecurityGroup {
    let rule = |rule| {
        let min = u64::from(rule == RangeRuleType::MqttD2CMessages);
        (rule, RangeRule::new(min, 1_000, Duration::from_secs(300)).expect("a valid range"))
    };
    SecurityGroup { ranges: RangeRuleType::ALL.into_iter().map(rule).collect(), ..SecurityGroup::default() }
}

/// As many records of this many devices, the next ones of each at its pace.
pub(crate) fn journal(devices: usize, events: std::ops::Range<usize>) -> impl Iterator<Item = HubRecord> {
    let between = PACE / u32::try_from(devices).expect("few enough devices");
    events.map(move |number| HubRecord {
        at: T0 + between * u32::try_from(number).expect("few enough events"),
        // A stride that is coprime to the number of devices visits all of them, in no friendly order.
        event: event(number, device(number * 7_919 % devices)),
    })
}

fn telemetry(device: DeviceId, protocol: Protocol) -> HubEvent {
    HubEvent::TelemetryReceived { device, module: None, protocol, payload_bytes: 128, duplicate: false }
}

fn event(number: usize, device: DeviceId) -> HubEvent {
    let (protocol, message_id) = (Protocol::Mqtt, format!("message-{number}"));
    match number % 97 {
        0..3 => accepted(number, device),
        3..6 => HubEvent::TwinRead { device, module: None },
        6..11 => report(number, device, activity(number)),
        11 => report(number, device, failed_login()),
        12..14 => HubEvent::CloudToDeviceEnqueued { device, message_id, protocol: Some(protocol) },
        14..16 => HubEvent::CloudToDeviceDelivered { device, message_id, protocol },
        16 => HubEvent::CloudToDeviceRejected { device, message_id, protocol: Protocol::Https },
        17 => HubEvent::DirectMethodInvoked {
            device,
            method: "reboot".into(),
            outcome: MethodOutcome::Answered { status: 200 },
        },
        18 => HubEvent::TwinUpdated {
            device,
            module: Some(ModuleId::new("agent").expect("a valid id")),
            section: TwinSection::Reported,
            version: number as u64,
        },
        19 => HubEvent::FileUploadCompleted { device, blob: "log".into(), blob_bytes: 4096, success: true },
        20 => HubEvent::QueuePurged { device, messages: 0 },
        21 => HubEvent::OperationRefused { device, operation: Operation::Request { line: "GET /".into() } },
        22..32 => telemetry(device, Protocol::Https),
        _ => telemetry(device, protocol),
    }
}

fn accepted(number: usize, device: DeviceId) -> HubEvent {
    HubEvent::ConnectionAccepted {
        connection: ConnectionId(number as u64),
        device,
        module: None,
        protocol: Protocol::Mqtt,
        peer: SocketAddr::from(([10, 42, 0, 2], 49_152)),
        authentication: UsedAuthentication::Sas { expiry: T0 + Duration::from_secs(3_600) },
        tls: TlsVersion::Tls13,
        session_present: false,
    }
}

fn report(number: usize, device: DeviceId, payload: SecurityPayload) -> HubEvent {
    HubEvent::SecurityMessageReceived {
        device,
        module: None,
        agent: AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() },
        events: vec![SecurityEvent {
            id: format!("{number:032x}"),
            agent_time: 1_767_225_600,
            collection_interval_s: Some(10),
            payload,
        }],
    }
}

fn activity(number: usize) -> SecurityPayload {
    let flow = |host: u8| Flow {
        protocol: FlowProtocol::Tcp,
        local_address: IpAddr::from([10, 42, 0, 2]),
        local_port: 49_152 + (number % 10_007) as u16,
        remote_address: IpAddr::from([10, 77, 0, host]),
        remote_port: 8_883,
        bytes_in: 1_000,
        bytes_out: 2_000,
        direction: None,
    };
    SecurityPayload::NetworkActivity((10..14).map(flow).collect())
}

fn failed_login() -> SecurityPayload {
    SecurityPayload::Login(Login {
        user: "admin".into(),
        success: false,
        executable: "/sbin/login".into(),
        remote_address: None,
    })
}
