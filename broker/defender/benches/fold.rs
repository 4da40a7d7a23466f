//! How fast the fold is: events a second over 10 to 100,000 devices, and as a ratio to parsing the same
//! journal lines from JSON, which any replay must do first. The ratio gates, absolute figures are reported.
//!
//! The mix: telemetry mostly, each device sends about twice a minute; some connections, twin reads, refusals
//! and agent reports of four flows each; one range rule with a minimum, so that every window close looks at
//! every device; a threat list of ten thousand networks. No step of the fold depends on the number of
//! devices; what remains of a slope is caches: 100,000 devices do not fit into them.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use hilarm_defender::Defender;
use hilarm_model::{
    AgentIdentity, ConnectionId, ConnectionRefused, DeviceId, Flow, FlowProtocol, HubEvent, HubRecord,
    Protocol, RangeRule, RangeRuleType, RefusalCause, RegisteredAuthentication, SecurityEvent, SecurityGroup,
    SecurityPayload, ThreatList, Timestamp, TlsVersion, UsedAuthentication,
};
use ipnet::{IpNet, Ipv4Net};

const EVENTS: usize = 200_000;
const T0: Timestamp = Timestamp::from_secs(1_767_225_600);

fn main() {
    let journal = journal(10_000);
    let lines: Vec<String> =
        journal.iter().map(|record| serde_json::to_string(record).expect("records serialise")).collect();
    let parsing = best(|| lines.iter().for_each(|line| drop(black_box(parse(line)))));
    let folding = fastest_fold(10_000, &journal);
    let rate = |took: Duration| EVENTS as f64 / took.as_secs_f64() / 1e6;
    println!("10,000 devices: fold {:.2} M events/s, JSON {:.2} M lines/s", rate(folding), rate(parsing));
    println!("fold / JSON parsing: {:.3} of its time", folding.as_secs_f64() / parsing.as_secs_f64());
    let (few, many) = (10, 10_000);
    let flat = fastest_fold(many, &self::journal(many)).as_secs_f64()
        / fastest_fold(few, &self::journal(few)).as_secs_f64();
    println!("10,000 devices / 10 devices: {flat:.2} times the time an event");
    divan::main();
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000], sample_count = 10)]
fn fold(bencher: Bencher<'_, '_>, devices: usize) {
    let journal = journal(devices);
    bencher.counter(ItemsCount::new(EVENTS)).with_inputs(|| provisioned(devices)).bench_local_values(
        |mut defender| {
            journal.iter().for_each(|record| defender.handle(record));
            defender
        },
    );
}

#[divan::bench(sample_count = 10)]
fn parse_json(bencher: Bencher<'_, '_>) {
    let write = |record| serde_json::to_string(record).expect("records serialise");
    let lines: Vec<String> = journal(10_000).iter().map(write).collect();
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench_local(|| lines.iter().for_each(|line| drop(black_box(parse(line)))));
}

fn parse(line: &str) -> HubRecord {
    serde_json::from_str(line).expect("what was written can be read")
}

fn fastest_fold(devices: usize, journal: &[HubRecord]) -> Duration {
    (0..5).map(|_| timed_fold(provisioned(devices), journal)).min().unwrap_or_default()
}

fn timed_fold(mut defender: Defender, journal: &[HubRecord]) -> Duration {
    let took = timed(|| journal.iter().for_each(|record| defender.handle(record)));
    assert!(!defender.overflowed() && defender.considered("d2c-mqtt") > 0);
    took
}

fn best(run: impl Fn()) -> Duration {
    (0..5).map(|_| timed(&run)).min().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures wall time")]
fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn device(number: usize) -> DeviceId {
    DeviceId::new(format!("plant-7-pump-{number:06}")).expect("a valid id")
}

/// A defender that monitors this many devices.
fn provisioned(devices: usize) -> Defender {
    let mut defender = Defender::new();
    let mut handle = |event| defender.handle(&HubRecord { at: T0, event });
    let range = RangeRule::new(1, 1_000, Duration::from_secs(300)).expect("a valid range");
    let group = SecurityGroup {
        ranges: [(RangeRuleType::MqttD2CMessages, range)].into(),
        ..SecurityGroup::default()
    };
    handle(HubEvent::SecurityGroupConfigured { name: "default".into(), group });
    let net = |n: u32| Ipv4Net::new(Ipv4Addr::from(0xc612_0000 + n * 8), 30).expect("a valid prefix");
    handle(HubEvent::ThreatListLoaded(ThreatList {
        networks: (0..10_000).map(net).map(IpNet::V4).collect(),
    }));
    for number in 0..devices {
        let authentication = RegisteredAuthentication::Sas {
            primary_sha256: format!("{number:064x}"),
            secondary_sha256: format!("{number:064x}"),
        };
        let security_group = "default".into();
        handle(HubEvent::DeviceRegistered { device: device(number), authentication, security_group });
    }
    handle(HubEvent::MonitoringStarted);
    // The steady state is measured: every device has sent before.
    let (module, protocol, payload_bytes, duplicate) = (None, Protocol::Mqtt, 128, false);
    for device in (0..devices).map(device) {
        let module = module.clone();
        handle(HubEvent::TelemetryReceived { device, module, protocol, payload_bytes, duplicate });
    }
    defender
}

fn journal(devices: usize) -> Vec<HubRecord> {
    let between = Duration::from_secs(30) / u32::try_from(devices).expect("few enough devices");
    let record = |number: usize| HubRecord {
        at: T0 + between * u32::try_from(number).expect("few enough events"),
        // A stride that is coprime to the number of devices visits all of them, in no friendly order.
        event: event(number, device(number * 7_919 % devices)),
    };
    (0..EVENTS).map(record).collect()
}

fn event(number: usize, device: DeviceId) -> HubEvent {
    let peer = SocketAddr::from(([10, 42, 0, 2], 49_152));
    let (connection, module, protocol) = (ConnectionId(number as u64), None, Protocol::Mqtt);
    match number % 97 {
        0..4 => HubEvent::ConnectionAccepted {
            connection,
            device,
            module,
            protocol,
            peer,
            authentication: UsedAuthentication::Sas { expiry: T0 + Duration::from_secs(3_600) },
            tls: TlsVersion::Tls13,
            session_present: false,
        },
        4 => HubEvent::ConnectionRefused(ConnectionRefused {
            connection,
            device: Some(device),
            registered: true,
            protocol,
            peer,
            causes: vec![RefusalCause::SasExpired { expiry: T0 }],
        }),
        5..8 => HubEvent::TwinRead { device, module },
        8..13 => HubEvent::SecurityMessageReceived {
            device,
            module,
            agent: AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() },
            events: vec![report(number)],
        },
        _ => HubEvent::TelemetryReceived { device, module, protocol, payload_bytes: 128, duplicate: false },
    }
}

fn report(number: usize) -> SecurityEvent {
    let flow = |host: u8| Flow {
        protocol: FlowProtocol::Tcp,
        local_address: IpAddr::from([10, 42, 0, 2]),
        local_port: 49_152,
        remote_address: IpAddr::from([10, 77, 0, host]),
        remote_port: 8_883,
        bytes_in: 1_000,
        bytes_out: 2_000,
        direction: None,
    };
    SecurityEvent {
        id: format!("{number:032x}"),
        agent_time: 1_767_225_600,
        collection_interval_s: Some(10),
        payload: SecurityPayload::NetworkActivity((10..14).map(flow).collect()),
    }
}
