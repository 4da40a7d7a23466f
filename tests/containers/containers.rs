//! The hub's container image: what runs in it, and what a device in QEMU goes through when it fails. Without a
//! container engine the tests are skipped, with the reason; `REQUIRE_DOCKER=1` turns that into a failure.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::BTreeSet;
use std::process::{Command as Process, ExitCode};
use std::time::{Duration, Instant};

use hilarm_container_tests::{Device, Hub, engine};
use hilarm_link::Command;
use hilarm_model::HubEvent;
use libtest_mimic::{Arguments, Failed, Trial};

const HOST: &str = "hub.hilarm.test";
const PUMP: &str = "pump-1";
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages sent before, during and after a fault, each of a length of its own.
const MESSAGES: u32 = 24;
const GAP: Duration = Duration::from_millis(100);
const FIRST_LENGTH: u32 = 100;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = engine();
    let required = std::env::var_os("REQUIRE_DOCKER").is_some_and(|value| value == "1");
    if let Some(reason) = &missing {
        println!("skipped, because {reason} (REQUIRE_DOCKER=1 turns this into a failure)");
    }
    let tests: [(&str, fn()); 5] = [
        ("the_hub_runs_as_nobody_and_reports_its_health", the_hub_runs_as_nobody_and_reports_its_health),
        ("a_real_client_is_served", a_real_client_is_served),
        ("a_device_gets_over_a_hub_that_stands_still", a_device_gets_over_a_hub_that_stands_still),
        ("a_device_gets_over_a_hub_that_was_killed", a_device_gets_over_a_hub_that_was_killed),
        ("a_device_gets_over_a_cut_network", a_device_gets_over_a_cut_network),
    ];
    let trials = tests.map(|(name, test)| {
        let missing = missing.clone();
        let run = move || match missing {
            Some(reason) => Err(Failed::from(reason)),
            None => {
                test();
                Ok(())
            }
        };
        Trial::test(name, run)
    });
    let skipped = missing.is_some() && !required;
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(skipped)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn the_hub_runs_as_nobody_and_reports_its_health() {
    let hub = Hub::start(HOST, &[PUMP]);
    assert_eq!(hub.inspect("{{.Config.User}}"), "65532:65532");
    let healthy = || hub.inspect("{{.State.Health.Status}}") == "healthy";
    eventually(healthy, || format!("never healthy: {}", hub.inspect("{{json .State.Health}}")));
}

fn a_real_client_is_served() {
    let hub = Hub::start(HOST, &[PUMP]);
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, hub.authority()).unwrap();
    let token = hilarm_tests::token(HOST, PUMP, &hub.key(PUMP));
    let mut client = Process::new("mosquitto_pub");
    client.args(["-h", "127.0.0.1", "-p", &hub.address().port().to_string(), "--cafile"]).arg(&authority);
    client.args([
        "-i",
        PUMP,
        "-u",
        &format!("{HOST}/{PUMP}/?api-version=2021-04-12"),
        "-P",
        &token,
        "-q",
        "1",
    ]);
    client.args(["-t", &format!("devices/{PUMP}/messages/events/"), "-m", "hello"]);
    let output = client.output().expect("mosquitto_pub runs; `cargo xtask setup` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lengths(&hub), BTreeSet::from([5]));
    assert_eq!(hub.alerts(), [""; 0]);
}

fn a_device_gets_over_a_hub_that_stands_still() {
    gets_over(|hub, _| hub.pause(), |hub, _| hub.unpause());
}

fn a_device_gets_over_a_hub_that_was_killed() {
    gets_over(
        |hub, _| hub.kill(),
        |hub, device| {
            hub.start_again();
            device.hub_moved(hub.address());
        },
    );
}

fn a_device_gets_over_a_cut_network() {
    gets_over(
        |hub, _| hub.cut_off(),
        |hub, device| {
            hub.reconnect();
            device.hub_moved(hub.address());
        },
    );
}

/// Sends telemetry while the hub fails and comes back. Every message is acknowledged, everything acknowledged is in
/// the hub's journal, nothing else is, and no fault looks like an attack; an attack afterwards does.
fn gets_over(fail: fn(&Hub, &mut Device), mend: fn(&Hub, &mut Device)) {
    let hub = Hub::start(HOST, &[PUMP]);
    let Some(mut device) = Device::boot(PUMP, hub.key(PUMP), &hub.authority(), hub.address()) else { return };
    device.command(Command::Connect { attempts: None, gap_ms: Some(500) });
    device.run_until("the first connection", PATIENCE, |device| device.connections() == 1);
    for message in 0..MESSAGES {
        if message == MESSAGES / 3 {
            fail(&hub, &mut device);
        }
        if message == 2 * MESSAGES / 3 {
            mend(&hub, &mut device);
        }
        let payload_bytes = u16::try_from(FIRST_LENGTH + message).unwrap();
        device.command(Command::SendTelemetry { count: 1, interval_ms: 0, payload_bytes });
        device.run_for(GAP);
    }
    device.run_until("every acknowledgement", PATIENCE, |device| device.settled().0 == MESSAGES);
    assert_eq!(device.settled(), (MESSAGES, 0), "nothing was given up");
    let sent = (FIRST_LENGTH..FIRST_LENGTH + MESSAGES).map(u64::from).collect();
    assert_eq!(lengths(&hub), sent, "what was acknowledged is in the journal, and nothing else is");
    assert_eq!(hub.alerts(), [""; 0], "a fault is no attack");
    forge(&mut device);
    // What the hub writes takes a moment through the engine's log.
    eventually(|| !hub.alerts().is_empty(), || "the attack raised no alert".to_owned());
    assert_eq!(hub.alerts(), ["sas-invalid-signature"]);
}

/// Looks until something is so, or says what is the matter.
fn eventually(so: impl Fn() -> bool, matter: impl Fn() -> String) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "{}", matter());
    }
}

/// The device comes with a forged token, once.
fn forge(device: &mut Device) {
    device.command(Command::RunBehaviour { name: "forge-token".to_owned(), args: Vec::new() });
    device.command(Command::Disconnect);
    device.run_for(GAP);
    device.command(Command::Connect { attempts: Some(1), gap_ms: None });
    let gave_up = hilarm_link::DeviceEvent::GaveUp;
    device.run_until("the refusal", PATIENCE, |device| device.events().contains(&gave_up));
}

/// Lengths of the telemetry that the hub took.
fn lengths(hub: &Hub) -> BTreeSet<u64> {
    let telemetry = hub.records().into_iter().filter_map(|event| match event {
        HubEvent::TelemetryReceived { payload_bytes, .. } => Some(payload_bytes),
        _ => None,
    });
    telemetry.collect()
}
