//! What a client meets that asks for more than the hub's throttles or its quota of the day let through.

use std::time::Duration;

use hilarm_model::{CloseReason, HubEvent};

use super::world::{World, event, request};
use crate::{HubConfig, Throttling};

fn codes(world: &mut World) -> Vec<u32> {
    let code = |fact| match fact {
        HubEvent::RequestRefused { code, .. } => Some(code),
        _ => None,
    };
    world.facts().into_iter().filter_map(code).collect()
}

#[test]
fn a_request_above_the_throttle_is_answered_and_its_connection_closed() {
    let throttling = Throttling { units: 1, burst: Duration::ZERO, queue: Duration::ZERO };
    let mut world = World::with(HubConfig { throttling: Some(throttling), ..HubConfig::default() });
    let connection = world.open();
    assert!(!world.exchange(connection, &event(b"1")).1, "kept alive");
    world.facts();
    let (answer, closed) = world.exchange(connection, &event(b"2"));
    assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{answer}");
    assert!(answer.contains("iothub-errorcode: ThrottlingException\r\n") && closed, "{answer}");
    let facts = world.facts();
    let [
        HubEvent::RequestRefused { code: 429_001, .. },
        HubEvent::ConnectionClosed { reason: CloseReason::Throttled, .. },
    ] = &facts[..]
    else {
        panic!("{facts:?}")
    };
}

#[test]
fn above_the_quota_of_the_day_sends_receives_and_uploads_are_refused_and_the_connection_stays() {
    let mut world = World::with(HubConfig { daily_messages_max: Some(1), ..HubConfig::default() });
    let connection = world.open();
    world.exchange(connection, &event(b"1"));
    for refused in [
        event(b"2"),
        request("GET /devices/pump-1/messages/devicebound", "", b""),
        request("POST /devices/pump-1/files", "", br#"{"blobName":"dump"}"#),
    ] {
        let (answer, closed) = world.exchange(connection, &refused);
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && !closed, "{answer}");
        assert!(answer.contains("iothub-errorcode: IotHubQuotaExceeded\r\n"), "{answer}");
    }
    assert_eq!(codes(&mut world), [403_002; 3]);
}

#[test]
fn a_batch_that_would_cost_more_than_the_day_has_left_is_refused_whole() {
    let mut world = World::with(HubConfig { daily_messages_max: Some(3), ..HubConfig::default() });
    let connection = world.open();
    let batch = |bodies: &[&str]| {
        let one = |body| serde_json::json!({ "body": body, "base64Encoded": false });
        let body = serde_json::Value::from_iter(bodies.iter().map(one)).to_string();
        let kind = "Content-Type: application/vnd.microsoft.iothub.json\r\n";
        request("POST /devices/pump-1/messages/events", kind, body.as_bytes())
    };
    let long = "x".repeat(4097);
    for (bodies, status, taken) in
        [(&["1", "2", "3", "4"][..], "403", 0), (&["1", &long, "2"], "403", 0), (&["1", &long], "204", 2)]
    {
        let (answer, _) = world.exchange(connection, &batch(bodies));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let telemetry = |fact: &HubEvent| matches!(fact, HubEvent::TelemetryReceived { .. });
        assert_eq!(world.facts().iter().filter(|fact| telemetry(fact)).count(), taken);
    }
}
