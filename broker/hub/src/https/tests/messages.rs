//! Cloud-to-device messages over HTTPS.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{HubEvent, Protocol};

use super::world::{World, device, request};
use crate::ServiceRequest;

const RECEIVE: &str = "GET /devices/pump-1/messages/devicebound?api-version=2020-03-13";

fn send(world: &mut World, message_id: &str) {
    world.serve(ServiceRequest::SendCloudToDevice {
        device: device("pump-1"),
        message_id: message_id.into(),
        payload: b"stop".to_vec(),
        properties: BTreeMap::from([("a".into(), "b".into()), ("evil".into(), "x\r\nSet: y".into())]),
        ttl: None,
    });
}

fn receive(world: &mut World) -> String {
    world.ask(&request(RECEIVE, "", b""))
}

fn lock(answer: &str) -> &str {
    let tag = answer.split("ETag: \"").nth(1).and_then(|rest| rest.split('"').next());
    tag.unwrap_or_else(|| panic!("{answer}"))
}

fn settle(world: &mut World, method: &str, lock: &str, rest: &str) -> String {
    let line = format!("{method} /devices/pump-1/messages/devicebound/{lock}{rest}");
    world.ask(&request(&line, "", b""))
}

/// The facts without whom the connections let in.
fn facts(world: &mut World) -> Vec<HubEvent> {
    let mut facts = world.facts();
    facts.retain(|fact| !matches!(fact, HubEvent::ConnectionAccepted { .. }));
    facts
}

#[test]
fn nothing_waits_and_then_a_message_is_handed_out_with_its_lock() {
    let mut world = World::new();
    assert_eq!(receive(&mut world), "HTTP/1.1 204 No Content\r\n\r\n");
    send(&mut world, "m-1");
    let answer = receive(&mut world);
    for part in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
        "\r\niothub-messageid: m-1\r\n",
        "\r\niothub-to: /devices/pump-1/messages/devicebound\r\n",
        "\r\niothub-enqueuedtime: 2026-01-01T00:00:00Z\r\n",
        "\r\niothub-app-a: b\r\n",
        "\r\n\r\nstop",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    assert!(!answer.contains("Set: y"), "{answer}");
    assert_eq!(receive(&mut world), "HTTP/1.1 204 No Content\r\n\r\n", "it is locked");
}

#[test]
fn the_hub_knows_that_the_device_uses_https() {
    let mut world = World::new();
    receive(&mut world);
    world.facts();
    send(&mut world, "m-1");
    let facts = facts(&mut world);
    let [HubEvent::CloudToDeviceEnqueued { protocol, .. }] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(*protocol, Some(Protocol::Https));
}

#[test]
fn a_message_is_completed_rejected_or_given_back() {
    let mut world = World::new();
    for (method, rest) in [("DELETE", ""), ("DELETE", "?api-version=1&reject"), ("POST", "/abandon")] {
        send(&mut world, "m-1");
        let answer = receive(&mut world);
        world.facts();
        let answer = settle(&mut world, method, lock(&answer), rest);
        assert_eq!(answer, "HTTP/1.1 204 No Content\r\n\r\n");
        let facts = facts(&mut world);
        let told = match &facts[..] {
            [HubEvent::CloudToDeviceCompleted { .. }] => "",
            [HubEvent::CloudToDeviceRejected { protocol: Protocol::Https, .. }] => "?api-version=1&reject",
            [HubEvent::CloudToDeviceAbandoned { protocol: Protocol::Https, .. }] => "/abandon",
            _ => panic!("{facts:?}"),
        };
        assert_eq!(told, rest);
    }
    let again = receive(&mut world);
    assert!(again.contains("iothub-deliverycount: 1\r\n"), "{again}");
}

#[test]
fn a_lock_that_ran_out_that_never_was_or_that_is_used_up_is_lost() {
    let mut world = World::new();
    send(&mut world, "m-1");
    let answer = receive(&mut world);
    let spent = lock(&answer).to_owned();
    world.pass(Duration::from_secs(61));
    for lock in [spent.as_str(), "no-lock", "00000000-0000-0000-0000-000000000000"] {
        let answer = settle(&mut world, "DELETE", lock, "");
        assert!(answer.starts_with("HTTP/1.1 412 Precondition Failed\r\n"), "{answer}");
        assert!(answer.contains("iothub-errorcode: DeviceMessageLockLost\r\n"), "{answer}");
    }
    let answer = receive(&mut world);
    let fresh = lock(&answer).to_owned();
    assert!(settle(&mut world, "DELETE", &fresh, "").starts_with("HTTP/1.1 204 "));
    assert!(settle(&mut world, "DELETE", &fresh, "").starts_with("HTTP/1.1 412 "));
    let lost = |fact: &HubEvent| matches!(fact, HubEvent::RequestRefused { code: 412_002, .. });
    assert_eq!(world.facts().iter().filter(|fact| lost(fact)).count(), 4);
}
