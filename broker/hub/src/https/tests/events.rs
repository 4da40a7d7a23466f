//! Telemetry and authorization, request by request.

use std::time::Duration;

use hilarm_model::{CloseReason, ConnectionRefused, HubEvent, Protocol, RefusalCause};

use super::world::{World, event, request, request_with, token};

const ACCEPTED: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Lengths of the telemetry among the facts.
fn telemetry(facts: &[HubEvent]) -> Vec<u64> {
    let length = |event: &HubEvent| match event {
        HubEvent::TelemetryReceived { payload_bytes, protocol: Protocol::Https, .. } => Some(*payload_bytes),
        _ => None,
    };
    facts.iter().filter_map(length).collect()
}

fn causes(facts: &[HubEvent]) -> Vec<RefusalCause> {
    let [HubEvent::ConnectionRefused(ConnectionRefused { protocol: Protocol::Https, causes, .. })] = facts
    else {
        panic!("{facts:?}")
    };
    causes.clone()
}

#[test]
fn telemetry_is_received_and_its_sender_let_in_once_a_connection() {
    let mut world = World::new();
    let connection = world.open();
    for body in [&b"{}"[..], b"hello"] {
        assert_eq!(world.exchange(connection, &event(body)), (ACCEPTED.into(), false));
    }
    let facts = world.facts();
    assert!(matches!(facts[0], HubEvent::ConnectionAccepted { protocol: Protocol::Https, .. }), "{facts:?}");
    assert_eq!((telemetry(&facts), facts.len()), (vec![2, 5], 3));
}

#[test]
fn bytes_cut_anywhere_make_the_same_requests() {
    let mut world = World::new();
    let connection = world.open();
    let fields = "Transfer-Encoding: chunked\r\n";
    let mut bytes = request("POST /devices/pump-1/messages/events", fields, b"");
    bytes.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n");
    let mut answers = String::new();
    for byte in [event(b"first"), bytes].concat() {
        answers += &world.exchange(connection, &[byte]).0;
    }
    assert_eq!((answers, telemetry(&world.facts())), (ACCEPTED.repeat(2), vec![5, 5]));
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let mut world = World::new();
    let wrong_method = request("GET /devices/pump-1/messages/events", "", b"");
    let answers = world.ask(&[event(b"a"), wrong_method, event(b"bc")].concat());
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!((statuses, telemetry(&world.facts())), (vec!["204", "405", "204"], vec![1, 2]));
}

#[test]
fn a_security_message_is_known_by_its_interface_id() {
    let mut world = World::new();
    let fields = "IoTHub-Interface-Id: urn:azureiot:Security:SecurityAgent:1\r\n";
    world.ask(&request("POST /devices/pump-1/messages/events", fields, b"no message"));
    let facts = world.facts();
    assert!(matches!(facts[1], HubEvent::SecurityMessageRejected { payload_bytes: 10, .. }), "{facts:?}");
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let mut world = World::new();
    let fields = "Content-Type: application/vnd.microsoft.iothub.json\r\n";
    let mut send = |body: &str| {
        let answer = world.ask(&request("POST /devices/pump-1/messages/events", fields, body.as_bytes()));
        (answer[9..12].to_owned(), telemetry(&world.facts()))
    };
    let good =
        r#"[{"body":"aGVsbG8=","properties":{"iothub-app-a":"b"}},{"body":"hi","base64Encoded":false}]"#;
    assert_eq!(send(good), ("204".into(), vec![5, 2]));
    for bad in [r#"[{"body":"aGVsbG8="},{"body":"?"}]"#, r#"{"body":"aGVsbG8="}"#, "[{}]", "["] {
        assert_eq!(send(bad), ("400".into(), vec![]), "{bad}");
    }
}

#[test]
fn each_request_is_judged_and_the_peer_learns_no_cause() {
    let mut world = World::new();
    let connection = world.open();
    let line = "POST /devices/pump-1/messages/events";
    let foreign = format!("Authorization: {}\r\n", token("pump-2", 3600));
    let expired = format!("Authorization: {}\r\n", token("pump-1", 0));
    let mut refuse = |line: &str, fields: &str| {
        let (answer, closed) = world.exchange(connection, &request_with(line, fields, b"x"));
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n") && !closed, "{answer}");
        assert!(answer.contains("iothub-errorcode: IotHubUnauthorized\r\n"), "{answer}");
        causes(&world.facts())
    };
    assert_eq!(refuse(line, ""), [RefusalCause::CredentialMissing]);
    assert_eq!(refuse(line, &foreign), [RefusalCause::SasScopeMismatch]);
    assert!(matches!(refuse(line, &expired)[..], [RefusalCause::SasExpired { .. }]));
    assert_eq!(refuse("POST /devices/pump-3/messages/events", &foreign), [RefusalCause::UnknownDevice]);
    assert_eq!(world.exchange(connection, &event(b"x")), (ACCEPTED.into(), false));
}

#[test]
fn what_is_not_a_devices_business_is_refused_and_recorded() {
    let mut world = World::new();
    let answer = world.ask(&request("DELETE /devices/pump-1?api-version=1", "", b""));
    assert!(answer.contains("iothub-errorcode: IotHubUnauthorizedAccess\r\n"), "{answer}");
    let facts = world.facts();
    let HubEvent::OperationRefused { operation, .. } = &facts[1] else { panic!("{facts:?}") };
    let line = "DELETE /devices/pump-1".to_owned();
    assert_eq!(*operation, hilarm_model::Operation::Request { line });
    assert!(world.ask(&request("GET /somewhere", "", b"")).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_client_that_waits_for_leave_gets_it() {
    let mut world = World::new();
    let connection = world.open();
    let fields = "Expect: 100-continue\r\n";
    let bytes = request("POST /devices/pump-1/messages/events", fields, b"hello");
    let (head, body) = bytes.split_at(bytes.len() - 5);
    assert_eq!(world.exchange(connection, head).0, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(world.exchange(connection, body).0, ACCEPTED);
}

#[test]
fn a_last_request_ends_its_connection_after_the_answer() {
    let mut world = World::new();
    let connection = world.open();
    let bytes = request("POST /devices/pump-1/messages/events", "Connection: close\r\n", b"x");
    let (answer, closed) = world.exchange(connection, &bytes);
    assert!(answer.contains("Connection: close\r\n") && closed, "{answer}");
    let facts = world.facts();
    let Some(HubEvent::ConnectionClosed { reason, device: Some(_), .. }) = facts.last() else {
        panic!("{facts:?}")
    };
    assert_eq!(*reason, CloseReason::Disconnected);
    assert_eq!(world.hub.poll_timeout(world.now), None, "nothing is left to wait for");
}

#[test]
fn a_connection_ends_when_it_is_silent_for_two_minutes_or_its_request_for_half_a_one() {
    let mut world = World::new();
    let idle = world.open();
    world.exchange(idle, &event(b"x"));
    world.facts();
    world.pass(Duration::from_secs(119));
    assert_eq!(world.answers(idle), (String::new(), false));
    world.exchange(idle, b"POST /devices");
    world.pass(Duration::from_secs(20));
    world.exchange(idle, b"/pump-1");
    world.pass(Duration::from_secs(10));
    let (answer, closed) = world.answers(idle);
    assert!(answer.starts_with("HTTP/1.1 408 ") && closed, "{answer}");

    let quiet = world.open();
    world.exchange(quiet, &event(b"x"));
    world.facts();
    world.pass(Duration::from_secs(120));
    assert_eq!(world.answers(quiet), (String::new(), true));
    let facts = world.facts();
    assert!(
        matches!(facts[..], [HubEvent::ConnectionClosed { reason: CloseReason::KeepAliveExpired, .. }]),
        "{facts:?}"
    );
}
