//! The journal that the benches fold: devices with every range rule of their group on.
//!
//! Kinds of event have the shares that they have in the journals of all scenarios with their controls, the
//! configuration at their beginning and refused logins, which raise alerts, left out. Nothing raises an alert:
//! the ranges are wide, but for one with a minimum, so that every window close looks at every device. As there, a
//! report mostly names one flow, of a connection that is known, and a device connects from a new port about every
//! twentieth event. A threat list of ten thousand networks is loaded.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hilarm_defender::Defender;
use hilarm_model::{
    AgentIdentity, CloseReason, ConnectionId, DeadLetter, DeviceId, Flow, FlowProtocol, HubEvent, HubRecord,
    Login, MethodOutcome, ModuleId, Operation, Protocol, RangeRule, RangeRuleType, RegisteredAuthentication,
    SecurityEvent, SecurityGroup, SecurityPayload, SystemInformation, ThreatList, Timestamp, TlsVersion,
    TwinSection, UsedAuthentication,
};
use ipnet::{IpNet, Ipv4Net};

/// Start of monitoring.
pub(crate) const T0: Timestamp = Timestamp::from_secs(1_767_225_600);
/// Time between two events of one device.
const PACE: Duration = Duration::from_secs(30);
/// From one device to the next: coprime to their number, it visits all of them, in no friendly order.
pub(crate) const STRIDE: usize = 7_919;
/// Events of a device from one connection to the next.
const ROUNDS_CONNECTED: usize = 20;

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
    events.map(move |number| HubRecord {
        at: at(devices, number),
        event: event(number, number / devices, device(number * STRIDE % devices)),
    })
}

/// When so many devices cause the event of this number.
pub(crate) fn at(devices: usize, number: usize) -> Timestamp {
    let between = PACE / u32::try_from(devices).expect("few enough devices");
    T0 + between * u32::try_from(number).expect("few enough events")
}

fn telemetry(device: DeviceId, protocol: Protocol) -> HubEvent {
    HubEvent::TelemetryReceived { device, module: None, protocol, payload_bytes: 128, duplicate: false }
}

/// The event of this number, by a device that caused this many before. Of 97 in a row each is another one; 97 is coprime to the numbers of devices, so that each device sees all.
fn event(number: usize, round: usize, device: DeviceId) -> HubEvent {
    let (protocol, message_id) = (Protocol::Mqtt, format!("message-{number}"));
    match number % 97 {
        0..37 => report(number, device, [activity(round)]),
        37..42 => report(number, device, [activity(round), SecurityPayload::Heartbeat, system_information()]),
        42 => report(number, device, [failed_login()]),
        43..69 => telemetry(device, protocol),
        69..71 => telemetry(device, Protocol::Https),
        71..76 => accepted(number, device),
        76..81 => closed(number, device),
        81..85 => HubEvent::CloudToDeviceEnqueued { device, message_id, protocol: Some(protocol) },
        85..87 => HubEvent::CloudToDeviceDelivered { device, message_id, protocol },
        87 => HubEvent::CloudToDeviceCompleted { device, message_id },
        88 => HubEvent::CloudToDeviceRejected { device, message_id, protocol: Protocol::Https },
        89 => HubEvent::CloudToDeviceDeadLettered {
            device,
            message_id,
            outcome: DeadLetter::Expired,
            delivered_over: Some(protocol),
        },
        90 => HubEvent::DirectMethodInvoked {
            device,
            method: "reboot".into(),
            outcome: MethodOutcome::Answered { status: 200 },
        },
        91 => HubEvent::TwinUpdated {
            device,
            module: Some(ModuleId::new("agent").expect("a valid id")),
            section: TwinSection::Reported,
            version: number as u64,
        },
        92 => HubEvent::TwinRead { device, module: None },
        93 => HubEvent::FileUploadCompleted { device, blob: "log".into(), blob_bytes: 4096, success: true },
        94 => HubEvent::QueuePurged { device, messages: 0 },
        95 => HubEvent::OperationRefused { device, operation: Operation::Request { line: "GET /".into() } },
        _ => HubEvent::ServiceOperationRefused {
            device: Some(device),
            operation: "direct method".into(),
            caller: "reader".into(),
            code: 401_003,
        },
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

fn closed(number: usize, device: DeviceId) -> HubEvent {
    let connection = ConnectionId(number as u64);
    HubEvent::ConnectionClosed { connection, device: Some(device), reason: CloseReason::Disconnected }
}

pub(crate) fn report(
    number: usize,
    device: DeviceId,
    payloads: impl IntoIterator<Item = SecurityPayload>,
) -> HubEvent {
    let event = |payload| SecurityEvent {
        id: format!("{number:032x}"),
        agent_time: 1_767_225_600,
        collection_interval_s: Some(10),
        payload,
    };
    HubEvent::SecurityMessageReceived {
        device,
        module: None,
        agent: AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() },
        events: payloads.into_iter().map(event).collect(),
    }
}

fn activity(round: usize) -> SecurityPayload {
    SecurityPayload::NetworkActivity(vec![flow(49_152 + (round / ROUNDS_CONNECTED % 10_007) as u16)])
}

/// A flow of a connection from this port.
pub(crate) fn flow(local_port: u16) -> Flow {
    Flow {
        protocol: FlowProtocol::Tcp,
        local_address: IpAddr::from([10, 42, 0, 2]),
        local_port,
        remote_address: IpAddr::from([10, 77, 0, 10]),
        remote_port: 8_883,
        bytes_in: 1_000,
        bytes_out: 2_000,
        direction: None,
    }
}

fn system_information() -> SecurityPayload {
    SecurityPayload::SystemInformation(SystemInformation {
        os_info: "Embassy 0.7".into(),
        kernel_info: "none".into(),
        hw_info: "mps2-an385".into(),
    })
}

fn failed_login() -> SecurityPayload {
    SecurityPayload::Login(Login {
        user: "admin".into(),
        success: false,
        executable: "/sbin/login".into(),
        remote_address: None,
    })
}
