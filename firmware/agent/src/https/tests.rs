//! The HTTPS side against a hub that answers by hand.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{Command, DeviceConfig, DeviceEvent, Disposition, FromDevice, Value};

use crate::io::{Input, Now, Output, Remote, Socket, Tls};
use crate::{Agent, testing};

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

struct World {
    agent: Agent,
    now: Now,
    /// What the hub answers, in order; `OK` after that.
    answers: VecDeque<String>,
    /// Whether the hub answers at all, and lets anyone in.
    silent: bool,
    refusing: bool,
    opened: Vec<(Socket, Remote, Option<Tls>)>,
    closed: usize,
    requests: Vec<String>,
    events: Vec<DeviceEvent>,
    logs: Vec<String>,
}

impl World {
    fn new(config: DeviceConfig) -> Self {
        let agent = Agent::new(config, "sim", 7);
        let now = Now { mono_us: 0, unix_us: testing::T0_S * 1_000_000 };
        Self {
            agent,
            now,
            answers: VecDeque::new(),
            silent: false,
            refusing: false,
            opened: Vec::new(),
            closed: 0,
            requests: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
        }
    }

    fn command(&mut self, command: Command) {
        self.agent.handle_input(Input::Command { id: 1, command }, self.now);
        self.carry_out();
    }

    fn behave(&mut self, name: &str, args: &[(&str, i64)]) {
        let args = args.iter().map(|(name, value)| (name.to_string(), Value::Int(*value))).collect();
        self.command(Command::RunBehaviour { name: name.to_string(), args });
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Open { socket, remote, tls } => {
                    self.opened.push((socket, remote, tls));
                    self.agent.handle_input(
                        if self.refusing {
                            Input::Closed { socket, reason: "refused".to_string() }
                        } else {
                            Input::Opened { socket, local: ([10, 42, 0, 2], 49152) }
                        },
                        self.now,
                    );
                }
                Output::Send { socket, bytes } => {
                    self.requests.push(String::from_utf8(bytes).unwrap());
                    self.answer(socket);
                }
                Output::SendRepeated { socket, byte, count } => {
                    let file = [byte].repeat(count as usize);
                    self.requests.last_mut().unwrap().push_str(core::str::from_utf8(&file).unwrap());
                    self.answer(socket);
                }
                Output::Close { .. } => self.closed += 1,
                Output::ToHarness(FromDevice::Event(event)) => self.events.push(event),
                Output::ToHarness(FromDevice::Log { text, .. }) => self.logs.push(text),
                Output::ToHarness(_) | Output::Crash(_) => {}
            }
        }
    }

    /// Answers the last request once it is whole.
    fn answer(&mut self, socket: Socket) {
        let (head, body) = self.requests.last().unwrap().split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if self.silent || body.len() < length.map_or(0, |length| length.parse().unwrap()) {
            return;
        }
        let answer = self.answers.pop_front().unwrap_or_else(|| OK.to_string());
        self.agent.handle_input(Input::Received { socket, bytes: answer.into_bytes() }, self.now);
    }

    fn run_for_s(&mut self, seconds: u64) {
        let end_us = self.now.mono_us + seconds * 1_000_000;
        while self.now.mono_us < end_us {
            let due_us = self.agent.poll_timeout(self.now).unwrap_or(u64::MAX).min(end_us);
            let step_us = due_us.saturating_sub(self.now.mono_us);
            self.now.mono_us += step_us;
            self.now.unix_us += step_us as i64;
            self.agent.handle_timeout(self.now);
            self.carry_out();
            let due_us = self.agent.poll_timeout(self.now);
            assert!(due_us.is_none_or(|due_us| due_us > self.now.mono_us), "the agent spins");
        }
    }

    fn lines(&self) -> Vec<&str> {
        self.requests.iter().filter_map(|request| request.split("?api-version").next()).collect()
    }
}

fn world() -> World {
    World::new(testing::sas_config())
}

fn finished(name: &str) -> DeviceEvent {
    DeviceEvent::BehaviourFinished { name: name.to_string() }
}

#[test]
fn a_flood_goes_over_one_connection_at_its_interval_and_the_socket_is_closed_after_it() {
    let mut world = world();
    world.behave("flood-telemetry-https", &[("count", 20), ("interval_ms", 1000)]);
    world.run_for_s(18);
    assert_eq!((world.requests.len(), world.closed), (19, 0));
    world.run_for_s(1);
    assert_eq!((world.requests.len(), world.opened.len(), world.closed), (20, 1, 1));
    assert!(world.events.contains(&finished("flood-telemetry-https")));
    let (socket, remote, tls) = &world.opened[0];
    assert!(*socket != Socket::HUB && tls.as_ref().unwrap().server_name == "hub.hilarm.test");
    assert_eq!(*remote, Remote::Host { name: "hub.hilarm.test".to_string(), port: 443 });
}

#[test]
fn each_request_is_authorized_by_itself() {
    let mut world = world();
    world.command(Command::SendTelemetryHttps { count: 2, interval_ms: 1000, payload_bytes: 5 });
    world.run_for_s(2);
    let [first, second] = &world.requests[..] else { panic!("{:?}", world.requests) };
    assert!(first.starts_with("POST /devices/pump-1/messages/events?api-version="), "{first}");
    assert!(first.ends_with("\r\nContent-Length: 5\r\n\r\n{}   "), "{first}");
    assert!(
        first.contains("\r\nAuthorization: SharedAccessSignature sr=hub.hilarm.test%2Fdevices%2Fpump-1&")
    );
    let expiry = |request: &str| request.split("&se=").nth(1).unwrap()[..10].parse::<i64>().unwrap();
    assert_eq!(expiry(second) - expiry(first), 1);
}

#[test]
fn a_device_with_a_certificate_presents_it_in_the_handshake_and_no_token() {
    let mut world = World::new(testing::x509_config(&[testing::T0_S + 1, testing::T0_S + 100]));
    world.command(Command::SendTelemetryHttps { count: 2, interval_ms: 2000, payload_bytes: 5 });
    world.run_for_s(3);
    assert!(world.requests.iter().all(|request| !request.contains("Authorization")));
    let presented = |index: usize| world.opened[index].2.as_ref().unwrap().client.as_ref().unwrap();
    assert_ne!(presented(0), presented(1), "the first one had expired");
}

#[test]
fn messages_are_received_and_rejected_one_after_the_other() {
    let mut world = world();
    let message = "HTTP/1.1 200 OK\r\nETag: \"lock/1\"\r\nContent-Length: 4\r\n\r\nstop";
    world.answers = [OK, message, OK].into_iter().map(String::from).collect();
    world.behave("reject-messages", &[("count", 1)]);
    world.run_for_s(2);
    let expected = [
        "GET /devices/pump-1/messages/devicebound",
        "GET /devices/pump-1/messages/devicebound",
        "DELETE /devices/pump-1/messages/devicebound/lock%2F1",
    ];
    assert_eq!(world.lines(), expected);
    assert!(world.requests[2].contains("&reject HTTP/1.1\r\n"));
    assert!(world.events.contains(&DeviceEvent::CloudToDeviceReceived { payload_bytes: 4 }));
    assert!(world.events.contains(&finished("reject-messages")));
}

#[test]
fn a_message_is_given_back_or_completed() {
    for (disposition, line) in [
        (Disposition::Abandon, "POST /devices/pump-1/messages/devicebound/a/abandon"),
        (Disposition::Complete, "DELETE /devices/pump-1/messages/devicebound/a"),
    ] {
        let mut world = world();
        world.answers.push_back("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 0\r\n\r\n".to_string());
        world.command(Command::ReceiveHttps { disposition, count: 1 });
        world.run_for_s(1);
        assert_eq!(world.lines()[1], line);
    }
}

#[test]
fn an_upload_asks_puts_and_tells() {
    let mut world = world();
    let leave = r#"{"correlationId":"c1","hostName":"h","containerName":"uploads","blobName":"pump-1/dump 1","sasToken":"?sig=s"}"#;
    let leave = alloc::format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{leave}", leave.len());
    world.answers =
        [&leave[..], "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"].map(String::from).into();
    world.behave("upload-files", &[("count", 1), ("size_bytes", 3)]);
    world.run_for_s(1);
    let [ask, put, tell] = &world.requests[..] else { panic!("{:?}", world.requests) };
    assert!(
        ask.starts_with("POST /devices/pump-1/files?") && ask.ends_with(r#"{"blobName":"dump-1"}"#),
        "{ask}"
    );
    assert!(
        put.starts_with("PUT /uploads/pump-1/dump%201?sig=s HTTP/1.1\r\n") && put.ends_with("\r\n\r\nxxx")
    );
    assert!(!put.contains("Authorization"));
    assert!(tell.starts_with("POST /devices/pump-1/files/notifications?"), "{tell}");
    assert!(tell.contains(r#""correlationId":"c1","isSuccess":true,"statusCode":201"#), "{tell}");
    assert!(world.events.contains(&finished("upload-files")));
}

#[test]
fn a_refused_message_counts_and_a_refused_upload_ends() {
    let mut world = world();
    let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
    world.answers = [refused, refused].map(String::from).into();
    world.command(Command::SendTelemetryHttps { count: 1, interval_ms: 0, payload_bytes: 5 });
    world.command(Command::UploadFile { name: "a".to_string(), size_bytes: 1 });
    world.run_for_s(100);
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn a_hub_that_refuses_or_never_answers_is_given_up_after_five_tries() {
    for silent in [true, false] {
        let mut world = world();
        (world.silent, world.refusing) = (silent, !silent);
        world.command(Command::SendTelemetryHttps { count: 9, interval_ms: 0, payload_bytes: 5 });
        world.run_for_s(600);
        assert_eq!((world.opened.len(), world.logs.len()), (5, 5), "{:?}", world.logs);
        assert!(world.logs[4].contains("giving up 1 jobs"), "{:?}", world.logs);
    }
}

#[test]
fn a_hub_that_ends_an_idle_connection_is_asked_again_over_another() {
    let mut world = world();
    world.command(Command::SendTelemetryHttps { count: 2, interval_ms: 200_000, payload_bytes: 5 });
    world.run_for_s(120);
    let (socket, ..) = world.opened[0];
    world.agent.handle_input(Input::Closed { socket, reason: "closed by peer".to_string() }, world.now);
    world.run_for_s(100);
    assert_eq!((world.requests.len(), world.opened.len(), world.logs.len()), (2, 2, 0));
}

#[test]
fn stopping_a_flood_ends_it() {
    let mut world = world();
    world.behave("flood-telemetry-https", &[("count", 100), ("interval_ms", 1000)]);
    world.run_for_s(3);
    let sent = world.requests.len();
    world.command(Command::StopBehaviour { name: "flood-telemetry-https".to_string() });
    world.run_for_s(10);
    assert_eq!((world.requests.len(), world.closed), (sent, 1));
}
