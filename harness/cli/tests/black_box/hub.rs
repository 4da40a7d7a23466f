//! `hilarm hub`: what keeps it from starting, and clients that we did not write.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpListener;
use std::process::{ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Project, Running};

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let outcome =
        Project::new(&[]).hilarm(&["hub", "--mqtt-port", &address.port().to_string(), "--https-port", "0"]);
    outcome.expect(3, &[&address.to_string(), "the port is in use by another process"]);
    let https = address.port().to_string();
    let outcome = Project::new(&[]).hilarm(&["hub", "--mqtt-port", "0", "--https-port", &https]);
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
    let outcome = project.hilarm(&["hub", "--mqtt-port", "0", "--https-port", "0", "--state", "state"]);
    outcome.expect(3, &["state/ca.pem", "no certificate in the PEM text"]);
    std::fs::remove_file(project.path("state/ca.key")).unwrap();
    let outcome = project.hilarm(&["hub", "--mqtt-port", "0", "--https-port", "0", "--state", "state"]);
    outcome.expect(3, &["state/ca.key", "missing beside state/ca.pem"]);
}

#[test]
fn a_device_id_that_is_none_is_named() {
    let outcome =
        Project::new(&[]).hilarm(&["hub", "--mqtt-port", "0", "--https-port", "0", "--device", "pump 1"]);
    outcome.expect(3, &["--device pump 1", "is not an identity"]);
}

/// A hub with the device pump-1, and what it printed.
struct Served {
    hub: Running,
    lines: Lines<BufReader<ChildStdout>>,
    mqtt: String,
    https: String,
    authority: String,
    host: String,
    key: String,
}

impl Served {
    fn start(project: &Project) -> Self {
        let arguments = ["hub", "--mqtt-port", "0", "--https-port", "0", "--device", "pump-1"];
        let mut hub = Running::start(&mut project.command(&arguments));
        let mut lines = BufReader::new(hub.stdout()).lines();
        let mut printed = |start: &str| {
            let mut lines = lines.by_ref().map(Result::unwrap);
            let line = lines.find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no `{start}`"));
            line[start.len()..].to_owned()
        };
        let mqtt = printed("IoT Hub listens for MQTT over TLS on ");
        let https = printed("IoT Hub listens for HTTPS on ");
        let authority = project.path(&printed("certificate authority: ")).to_string_lossy().into_owned();
        let connection = printed("HostName=");
        let (host, _) = connection.split_once(';').unwrap();
        let (_, key) = connection.split_once("SharedAccessKey=").unwrap();
        let (host, key) = (host.to_owned(), key.to_owned());
        Self { hub, lines, mqtt, https, authority, host, key }
    }

    /// The next record of this kind; none may hold the key.
    fn record(&mut self, kind: &str) -> Value {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        let record = lines.find(|line| line.contains(kind)).unwrap_or_else(|| panic!("no {kind}"));
        assert!(!record.contains(&self.key), "no key in any record");
        serde_json::from_str(&record).unwrap()
    }

    fn end(self) {
        self.hub.signal(Signal::INT);
        drop(self.lines);
        self.hub.finish().expect(0, &[]);
    }
}

/// Whether a client that we did not write is there; CI must have it.
fn installed(program: &str, package: &str) -> bool {
    let there = Command::new(program).arg("--help").output().is_ok();
    assert!(there || !hilarm_tests::in_ci(), "CI must have {package}");
    if !there {
        eprintln!("passed over: {program} is not installed (Debian: {package})");
    }
    there
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

#[test]
fn mosquitto_publishes_with_what_the_hub_prints() {
    if !installed("mosquitto_pub", "mosquitto-clients") {
        return;
    }
    let project = Project::new(&[]);
    let mut served = Served::start(&project);
    let mut publish = Command::new("mosquitto_pub");
    publish.args(["-V", "mqttv311", "-h", &served.host, "-p", port(&served.mqtt)]);
    publish.args(["--cafile", &served.authority, "-i", "pump-1"]);
    let user_name = format!("{}/pump-1/?api-version=2021-04-12", served.host);
    publish.args(["-u", &user_name, "-P", &token(&served.host, &served.key)]);
    publish.args(["-q", "1", "-t", "devices/pump-1/messages/events/", "-m", "21.5"]);
    let output = publish.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let record = served.record("telemetry_received");
    assert!(record.to_string().contains("\"device\":\"pump-1\""), "{record}");
    served.end();
}

/// Status and body of what curl is answered.
fn curl(served: &Served, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> (String, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "30", "--cacert", &served.authority]);
    // The blob store needs no token but its own.
    if let Some(token) = token {
        curl.args(["--header", &format!("Authorization: {token}")]);
    }
    curl.args(["--request", method, "--write-out", "\n%{http_code}", "--data-binary", "@-"]);
    curl.arg(format!("https://{}:{}{path}", served.host, port(&served.https)));
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    curl.stdin.take().unwrap().write_all(body).unwrap();
    let output = curl.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
fn curl_sends_telemetry_uploads_a_file_and_is_turned_away_with_a_bad_token() {
    if !installed("curl", "curl") {
        return;
    }
    let project = Project::new(&[]);
    let mut served = Served::start(&project);
    let good = token(&served.host, &served.key);
    let (status, _) = curl(&served, "POST", "/devices/pump-1/messages/events", Some(&good), b"21.5");
    assert_eq!(status, "204");
    assert!(served.record("telemetry_received").to_string().contains("https"));
    let (status, _) = curl(&served, "GET", "/devices/pump-1/messages/devicebound", Some(&good), b"");
    assert_eq!(status, "204", "no message waits");

    let begin = br#"{"blobName":"dump.bin"}"#;
    let (status, grant) = curl(&served, "POST", "/devices/pump-1/files", Some(&good), begin);
    assert_eq!(status, "200", "{grant}");
    let grant: Value = serde_json::from_str(&grant).unwrap();
    let text = |name: &str| grant[name].as_str().unwrap();
    let blob = format!("/{}/{}{}", text("containerName"), text("blobName"), text("sasToken"));
    assert_eq!(curl(&served, "PUT", &blob, None, &vec![7; 300_000]).0, "201");
    let told = serde_json::json!({ "correlationId": text("correlationId"), "isSuccess": true }).to_string();
    let path = "/devices/pump-1/files/notifications";
    assert_eq!(curl(&served, "POST", path, Some(&good), told.as_bytes()).0, "204");
    let record = served.record("file_upload_completed");
    assert!(record.to_string().contains("\"blob_bytes\":300000"), "{record}");

    let forged = good.replace("&sig=", "&sig=AAAA");
    let (status, body) = curl(&served, "POST", "/devices/pump-1/messages/events", Some(&forged), b"21.5");
    assert_eq!(status, "401");
    assert!(body.contains(r#""Message":"ErrorCode:IotHubUnauthorized;Unauthorized""#), "{body}");
    assert!(served.record("connection_refused").to_string().contains("sas_invalid_signature"));
    served.end();
}

/// A SAS token for the device.
fn token(host: &str, key: &str) -> String {
    hilarm_tests::token(host, "pump-1", &STANDARD.decode(key).unwrap())
}
