//! The client against packets made by hand.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::mqtt::peer::{self, FromClient};

const SECOND: u64 = 1_000_000;

fn connect() -> Connect {
    Connect {
        client_id: "pump-1".to_string(),
        user_name: None,
        password: None,
        keep_alive_s: 60,
        clean_session: false,
    }
}

fn publication(tag: u32) -> Publication {
    Publication { topic: "t".to_string(), payload: vec![tag as u8], qos: Qos::AtLeastOnce, tag }
}

fn sent(client: &mut Client) -> Vec<FromClient> {
    peer::parse(&client.take_output())
}

fn events(client: &mut Client) -> Vec<Event> {
    core::iter::from_fn(|| client.poll_event()).collect()
}

fn up(session_present: bool) -> Client {
    let mut client = Client::new();
    reconnect(&mut client, session_present);
    client
}

fn reconnect(client: &mut Client, session_present: bool) {
    client.start(&connect(), 0);
    client.take_output();
    client.receive(&peer::connack(session_present, 0), 0);
    assert_eq!(events(client), [Event::Accepted { session_present }]);
}

#[test]
fn a_publication_is_done_when_its_puback_arrives() {
    let mut client = up(false);
    client.publish(publication(5), 0);
    assert!(matches!(&sent(&mut client)[..], [FromClient::Publish(publish)] if publish.id == Some(1)));
    assert_eq!(events(&mut client), []);
    client.receive(&peer::puback(1), 0);
    assert_eq!(events(&mut client), [Event::Done { tag: 5 }]);
    client.receive(&peer::puback(1), 0);
    assert_eq!(events(&mut client), [], "a second PUBACK means nothing");
}

#[test]
fn an_unacknowledged_publication_is_sent_again_as_a_duplicate_when_the_session_resumes() {
    let mut client = up(false);
    client.publish(publication(5), 0);
    client.transport_lost();
    client.start(&connect(), 0);
    client.take_output();
    client.receive(&peer::connack(true, 0), 0);
    let [FromClient::Publish(again)] = &sent(&mut client)[..] else { panic!("one PUBLISH") };
    assert_eq!((again.id, again.duplicate), (Some(1), true));
}

#[test]
fn without_the_session_it_is_sent_again_as_new() {
    let mut client = up(false);
    client.publish(publication(5), 0);
    client.transport_lost();
    client.start(&connect(), 0);
    client.take_output();
    client.receive(&peer::connack(false, 0), 0);
    let [FromClient::Publish(again)] = &sent(&mut client)[..] else { panic!("one PUBLISH") };
    assert!(!again.duplicate);
}

#[test]
fn publications_wait_for_the_connection_and_for_the_window() {
    let mut client = Client::new();
    for tag in 0..10 {
        client.publish(publication(tag), 0);
    }
    assert_eq!(sent(&mut client), []);
    client.start(&connect(), 0);
    client.take_output();
    client.receive(&peer::connack(false, 0), 0);
    assert_eq!(sent(&mut client).len(), 8);
    client.receive(&peer::puback(1), 0);
    assert_eq!(sent(&mut client).len(), 1);
}

#[test]
fn a_message_at_least_once_is_acknowledged() {
    let mut client = up(false);
    client.receive(&peer::publish("c2d", b"hello", Some(9)), 0);
    assert_eq!(sent(&mut client), [FromClient::PubAck(9)]);
    assert!(matches!(&events(&mut client)[..], [Event::Received(message)] if message.payload == b"hello"));
}

#[test]
fn packets_may_arrive_in_single_bytes() {
    let mut client = up(false);
    for byte in peer::publish("c2d", b"hello", None) {
        assert_eq!(events(&mut client), []);
        client.receive(&[byte], 0);
    }
    assert!(matches!(&events(&mut client)[..], [Event::Received(_)]));
}

#[test]
fn silence_is_broken_by_a_ping_after_the_keep_alive() {
    let mut client = up(false);
    client.publish(publication(1), 20 * SECOND);
    client.take_output();
    assert_eq!(client.poll_timeout(), Some(80 * SECOND));
    client.handle_timeout(79 * SECOND);
    assert_eq!(sent(&mut client), []);
    client.handle_timeout(80 * SECOND);
    assert_eq!(sent(&mut client), [FromClient::Ping]);
    client.receive(&peer::pingresp(), 81 * SECOND);
    assert_eq!(client.poll_timeout(), Some(140 * SECOND));
}

#[test]
fn a_ping_without_answer_breaks_the_connection() {
    let mut client = up(false);
    client.handle_timeout(60 * SECOND);
    assert_eq!(client.poll_timeout(), Some(90 * SECOND));
    client.handle_timeout(90 * SECOND);
    assert_eq!(events(&mut client), [Event::Broken { reason: "keep-alive expired".to_string() }]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_refusal_tells_its_code_and_what_follows_it_is_ignored() {
    let mut client = Client::new();
    client.start(&connect(), 0);
    let mut bytes = peer::connack(false, 5);
    bytes.extend(peer::publish("c2d", b"late", None));
    client.receive(&bytes, 0);
    assert_eq!(events(&mut client), [Event::Refused { code: 5 }]);
}

#[test]
fn a_server_that_speaks_first_or_twice_is_cut_off() {
    let mut client = Client::new();
    client.start(&connect(), 0);
    client.receive(&peer::pingresp(), 0);
    assert!(matches!(&events(&mut client)[..], [Event::Broken { .. }]));
    let mut client = up(false);
    client.receive(&peer::connack(false, 0), 0);
    assert!(matches!(&events(&mut client)[..], [Event::Broken { .. }]));
}

#[test]
fn held_publications_wait_and_go_out_on_release() {
    let mut client = up(false);
    client.hold(true, 0);
    client.publish(publication(1), 0);
    assert_eq!(sent(&mut client), []);
    client.hold(false, 0);
    assert_eq!(sent(&mut client).len(), 1);
}

#[test]
fn leaving_in_order_sends_disconnect_last_and_keeps_what_is_in_flight() {
    let mut client = up(false);
    client.publish(publication(1), 0);
    client.disconnect(0);
    assert!(matches!(&sent(&mut client)[..], [FromClient::Publish(_), FromClient::Disconnect]));
    assert_eq!(client.in_flight(), 1);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_leave_a_usable_client(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..10),
        connected: bool,
    ) {
        let mut client = if connected { up(false) } else { Client::new() };
        for chunk in &chunks {
            client.receive(chunk, 0);
        }
        events(&mut client);
        reconnect(&mut client, true);
        client.publish(publication(1), 0);
        prop_assert!(matches!(sent(&mut client).last(), Some(FromClient::Publish(_))));
    }
}
