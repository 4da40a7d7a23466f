//! `hilarm hub`: what keeps it from starting, and a client that we did not write.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::Signal;
use sha2::Sha256;

use crate::support::{Project, Running};

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let outcome = Project::new(&[]).hilarm(&["hub", "--port", &address.port().to_string()]);
    outcome.expect(3, &[&address.to_string(), "the port is in use by another process"]);
}

#[test]
fn an_address_on_a_network_is_refused() {
    let outcome = Project::new(&[]).hilarm(&["hub", "--address", "0.0.0.0"]);
    outcome.expect(3, &["0.0.0.0 is no loopback address"]);
}

#[test]
fn a_certificate_authority_that_does_not_read_is_named() {
    let project = Project::new(&[]);
    project.write("state/ca.pem", "broken");
    project.write("state/ca.key", "broken");
    let outcome = project.hilarm(&["hub", "--port", "0", "--state", "state"]);
    outcome.expect(3, &["state/ca.pem", "no certificate in the PEM text"]);
    std::fs::remove_file(project.path("state/ca.key")).unwrap();
    let outcome = project.hilarm(&["hub", "--port", "0", "--state", "state"]);
    outcome.expect(3, &["state/ca.key", "missing beside state/ca.pem"]);
}

#[test]
fn a_device_id_that_is_none_is_named() {
    let outcome = Project::new(&[]).hilarm(&["hub", "--port", "0", "--device", "pump 1"]);
    outcome.expect(3, &["--device pump 1", "is not an identity"]);
}

#[test]
fn mosquitto_publishes_with_what_the_hub_prints() {
    if Command::new("mosquitto_pub").arg("--help").output().is_err() {
        assert!(!hilarm_tests::in_ci(), "CI must have mosquitto-clients");
        eprintln!("passed over: mosquitto_pub is not installed (Debian: mosquitto-clients)");
        return;
    }
    let project = Project::new(&[]);
    let mut hub = Running::start(&mut project.command(&["hub", "--port", "0", "--device", "pump-1"]));
    let mut lines = BufReader::new(hub.stdout()).lines().map(Result::unwrap);
    let mut printed = |start: &str| {
        let line = lines.find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no `{start}`"));
        line[start.len()..].to_owned()
    };
    let address = printed("IoT Hub listens for MQTT over TLS on ");
    let authority = printed("certificate authority: ");
    let connection = printed("HostName=");
    let (host, _) = connection.split_once(';').unwrap();
    let (_, key) = connection.split_once("SharedAccessKey=").unwrap();

    let mut publish = Command::new("mosquitto_pub");
    publish.args(["-V", "mqttv311", "-h", host, "-p", address.rsplit_once(':').unwrap().1]);
    publish.args(["--cafile", &project.path(&authority).to_string_lossy(), "-i", "pump-1"]);
    publish.args(["-u", &format!("{host}/pump-1/?api-version=2021-04-12"), "-P", &token(host, key)]);
    publish.args(["-q", "1", "-t", "devices/pump-1/messages/events/", "-m", "21.5"]);
    let output = publish.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let record = lines.find(|line| line.contains("telemetry_received")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert!(record.to_string().contains("\"device\":\"pump-1\""), "{record}");
    assert!(!record.to_string().contains(key), "no key in any record");

    hub.signal(Signal::INT);
    drop(lines);
    hub.finish().expect(0, &[]);
}

/// A SAS token for the device, as the IoT Hub documentation signs it.
fn token(host: &str, key: &str) -> String {
    let resource = format!("{host}/devices/pump-1");
    let resource = utf8_percent_encode(&resource, NON_ALPHANUMERIC).to_string();
    let expiry = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).unwrap()).unwrap();
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}
