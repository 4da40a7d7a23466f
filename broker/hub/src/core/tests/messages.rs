//! Cloud-to-device messages to the end: settled by their lock, expired, purged, and reported back.

use hilarm_model::DeadLetter;

use super::*;
use crate::service::{Feedback, FeedbackOutcome, ReceivedCloudToDevice, Settlement, Told};

fn send_with(core: &mut Core, message_id: &str, acknowledgement: &str) -> Result<ServiceReply, HubError> {
    let request = ServiceRequest::SendCloudToDevice {
        device: device(),
        message_id: message_id.into(),
        payload: b"stop".to_vec(),
        properties: BTreeMap::from([("iothub-ack".into(), acknowledgement.into())]),
        ttl: None,
    };
    core.service(request, at(0))
}

fn receive(core: &mut Core, now: Now) -> Option<ReceivedCloudToDevice> {
    let request = ServiceRequest::ReceiveCloudToDevice { device: device(), protocol: Protocol::Https };
    match core.service(request, now) {
        Ok(ServiceReply::Received(received)) => received,
        other => panic!("{other:?}"),
    }
}

fn settle(core: &mut Core, lock: &str, settlement: Settlement, now: Now) -> Result<ServiceReply, HubError> {
    let lock = lock.to_owned();
    core.service(ServiceRequest::SettleCloudToDevice { device: device(), lock, settlement }, now)
}

fn receive_and_settle(core: &mut Core, settlement: Settlement, now: Now) {
    let received = receive(core, now).expect("a message waits");
    settle(core, &received.lock, settlement, now).unwrap();
}

fn purge(core: &mut Core) -> ServiceReply {
    core.service(ServiceRequest::PurgeCloudToDevice { device: device() }, at(1)).unwrap()
}

fn feedback(core: &mut Core, now: Now) -> Vec<(String, FeedbackOutcome)> {
    let Ok(ServiceReply::Feedback(told)) = core.service(ServiceRequest::ReceiveFeedback, now) else {
        panic!()
    };
    let Some(Told { lock, items }) = told else { return Vec::new() };
    let complete = ServiceRequest::SettleFeedback { lock, settlement: Settlement::Complete };
    core.service(complete, now).unwrap();
    items.into_iter().map(|Feedback { message_id, outcome, .. }| (message_id, outcome)).collect()
}

fn dead(message_id: &str, outcome: DeadLetter, delivered_over: Option<Protocol>) -> HubEvent {
    let message_id = message_id.into();
    HubEvent::CloudToDeviceDeadLettered { device: device(), message_id, outcome, delivered_over }
}

#[test]
fn an_expired_message_is_dead_and_says_over_what_it_was_handed_out() {
    let mut core = connected();
    send(&mut core, "seen", at(0)).unwrap();
    core.deliver_next(&pump(), Protocol::Mqtt, at(1)).unwrap();
    send(&mut core, "unseen", at(0)).unwrap();
    facts(&mut core);
    core.handle_timeout(at(3599));
    assert_eq!(facts(&mut core), []);
    core.handle_timeout(at(3600));
    let expired = |id, over| dead(id, DeadLetter::Expired, over);
    assert_eq!(facts(&mut core), [expired("seen", Some(Protocol::Mqtt)), expired("unseen", None)]);
    assert_eq!(core.poll_timeout(at(3600)), None, "nothing is left to wait for");
}

#[test]
fn a_purge_is_one_fact_and_every_message_it_drops_another() {
    let mut core = core();
    send(&mut core, "a", at(0)).unwrap();
    receive(&mut core, at(0)).unwrap();
    send(&mut core, "b", at(0)).unwrap();
    facts(&mut core);
    assert_eq!(purge(&mut core), ServiceReply::Purged { messages: 2 });
    let purged = |messages| HubEvent::QueuePurged { device: device(), messages };
    let (seen, unseen) =
        (dead("a", DeadLetter::Purged, Some(Protocol::Https)), dead("b", DeadLetter::Purged, None));
    assert_eq!(facts(&mut core), [purged(2), seen, unseen]);
    assert_eq!(purge(&mut core), ServiceReply::Purged { messages: 0 });
    assert_eq!(facts(&mut core), [purged(0)], "an empty queue is purged too");
    assert_eq!(core.poll_timeout(at(1)), None, "nothing is left to wait for");
}

#[test]
fn a_rejected_message_is_gone_and_the_rejection_names_the_protocol() {
    let mut core = core();
    send(&mut core, "m1", at(0)).unwrap();
    facts(&mut core);
    receive_and_settle(&mut core, Settlement::Reject, at(1));
    assert!(receive(&mut core, at(1)).is_none());
    let rejected = HubEvent::CloudToDeviceRejected {
        device: device(),
        message_id: "m1".into(),
        protocol: Protocol::Https,
    };
    assert_eq!(facts(&mut core).last(), Some(&rejected));
}

#[test]
fn an_abandoned_message_comes_again_and_the_tenth_time_it_is_dead() {
    let mut core = core();
    send(&mut core, "m1", at(0)).unwrap();
    for times in 0..10 {
        let received = receive(&mut core, at(1)).unwrap();
        assert_eq!(received.delivery_count, times);
        settle(&mut core, &received.lock, Settlement::Abandon, at(1)).unwrap();
    }
    assert!(receive(&mut core, at(1)).is_none());
    let facts = facts(&mut core);
    let abandoned = |fact: &&HubEvent| matches!(fact, HubEvent::CloudToDeviceAbandoned { .. });
    assert_eq!(facts.iter().filter(abandoned).count(), 10);
    let exceeded = dead("m1", DeadLetter::DeliveryCountExceeded, Some(Protocol::Https));
    assert_eq!(facts.last(), Some(&exceeded));
}

#[test]
fn a_lock_that_ran_out_settles_nothing_and_counts_as_no_delivery() {
    let mut core = core();
    send(&mut core, "m1", at(0)).unwrap();
    let first = receive(&mut core, at(0)).unwrap();
    core.handle_timeout(at(60));
    let lost = settle(&mut core, &first.lock, Settlement::Complete, at(60)).unwrap_err();
    assert_eq!(lost.code(), 412_002);
    let second = receive(&mut core, at(60)).unwrap();
    assert_eq!(second.delivery_count, 0);
    assert_ne!(second.lock, first.lock);
    assert_eq!(settle(&mut core, &first.lock, Settlement::Reject, at(60)).unwrap_err().code(), 412_002);
    assert!(settle(&mut core, &second.lock, Settlement::Complete, at(60)).is_ok());
    assert_eq!(settle(&mut core, "no lock", Settlement::Complete, at(60)).unwrap_err().code(), 412_002);
}

#[test]
fn the_end_of_an_mqtt_connection_leaves_the_locks_of_https_alone() {
    let mut core = connected();
    send(&mut core, "m1", at(0)).unwrap();
    let received = receive(&mut core, at(0)).unwrap();
    core.disconnected(&pump(), Protocol::Mqtt, CloseReason::TransportClosed, at(2));
    assert!(settle(&mut core, &received.lock, Settlement::Complete, at(1)).is_ok());
}

#[test]
fn feedback_tells_what_the_sender_asked_for_and_is_taken_once() {
    let mut core = core();
    for acknowledgement in ["none", "positive", "negative", "full"] {
        send_with(&mut core, acknowledgement, acknowledgement).unwrap();
        receive_and_settle(&mut core, Settlement::Complete, at(1));
        send_with(&mut core, acknowledgement, acknowledgement).unwrap();
        receive_and_settle(&mut core, Settlement::Reject, at(1));
    }
    let told = |acknowledgement: &str, outcome| (acknowledgement.to_owned(), outcome);
    use FeedbackOutcome::{Rejected, Success};
    let expected = [
        told("positive", Success),
        told("negative", Rejected),
        told("full", Success),
        told("full", Rejected),
    ];
    assert_eq!(feedback(&mut core, at(2)), expected);
    assert_eq!(feedback(&mut core, at(2)), []);
    send_with(&mut core, "m", "full").unwrap();
    let received = receive(&mut core, at(2)).unwrap();
    assert_eq!(received.properties["iothub-ack"], "full", "the device sees what was asked for");
    assert_eq!(send_with(&mut core, "m", "perhaps").unwrap_err().code(), 400_004);
}

#[test]
fn feedback_knows_expiry_and_purge_and_is_dropped_after_an_hour() {
    let mut core = core();
    send_with(&mut core, "purged", "full").unwrap();
    purge(&mut core);
    send_with(&mut core, "expired", "negative").unwrap();
    core.handle_timeout(at(3600));
    let told = |id: &str, outcome| (id.to_owned(), outcome);
    use FeedbackOutcome::{Expired, Purged};
    assert_eq!(feedback(&mut core, at(3600)), [told("purged", Purged), told("expired", Expired)]);
    send_with(&mut core, "late", "full").unwrap();
    purge(&mut core);
    assert_eq!(feedback(&mut core, at(3602)), []);
}
