//! Debian's mosquitto_pub as a client that we did not write. It is part of every CI machine; a developer's
//! machine may lack it, and the tests then say so.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::process::{Command, Output};

use hilarm_model::{HubEvent, RefusalCause};

mod support;

use support::*;

const PUMP: &str = "pump-1";

fn missing() -> bool {
    let missing = Command::new("mosquitto_pub").arg("--help").output().is_err();
    let ci = std::env::var_os("CI").is_some();
    assert!(!(missing && ci), "mosquitto_pub is missing: install mosquitto-clients on this CI machine");
    if missing {
        eprintln!("skipped: mosquitto_pub is not installed (Debian: mosquitto-clients)");
    }
    missing
}

async fn publish(server: &Running, password: String) -> Output {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-V", "mqttv311", "-h", "localhost", "-p", &server.address.port().to_string()]);
    command.arg("--cafile").arg(&server.ca_path);
    command.args(["-i", PUMP, "-u", &user_name(PUMP), "-P", &password]);
    command.args(["-q", "1", "-t", &format!("devices/{PUMP}/messages/events/"), "-m", "21.5"]);
    soon("mosquitto_pub", tokio::task::spawn_blocking(move || command.output())).await.unwrap().unwrap()
}

#[tokio::test]
async fn publishes_telemetry_with_a_token() {
    if missing() {
        return;
    }
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let output = publish(&server, token(PUMP, unix_now() + 3600)).await;
    assert!(output.status.success(), "{output:?}");
    let telemetry = server.record("the telemetry", |event| match event {
        HubEvent::TelemetryReceived { device, payload_bytes, .. } => Some((device, payload_bytes)),
        _ => None,
    });
    let (device, payload_bytes) = telemetry.await;
    assert_eq!((device.as_str(), payload_bytes), (PUMP, 4));
}

#[tokio::test]
async fn is_refused_with_an_expired_token() {
    if missing() {
        return;
    }
    let mut server = Running::start(config(vec![sas_device(PUMP)])).await;
    let expiry = unix_now() - 1;
    let output = publish(&server, token(PUMP, expiry)).await;
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not authorised"), "{output:?}");
    let causes = server.record("the refusal", |event| match event {
        HubEvent::ConnectionRefused(refused) => Some(refused.causes),
        _ => None,
    });
    let expiry = hilarm_model::Timestamp::from_secs(expiry);
    assert_eq!(causes.await, [RefusalCause::SasExpired { expiry }]);
}
