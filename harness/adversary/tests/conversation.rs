//! Bots in conversation with a real command-and-control broker.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use hilarm_adversary::{AdversaryError, AdversaryOutput, CommandAndControl, Received};

mod mqtt;

use mqtt::*;

const LIMIT: Duration = Duration::from_secs(20);

struct Bots(CommandAndControl);

impl Bots {
    fn new() -> Self {
        Self(CommandAndControl::start().unwrap())
    }

    /// Opens a stream and gets through CONNECT.
    fn connected(mut self, stream: u64, client_id: &str) -> Self {
        self.0.open(stream);
        assert_eq!(self.say(stream, &connect(client_id)), bytes(stream, &CONNACK));
        self
    }

    fn say(&mut self, stream: u64, bytes: &[u8]) -> Vec<AdversaryOutput> {
        self.0.send(stream, bytes);
        self.settle()
    }

    fn settle(&mut self) -> Vec<AdversaryOutput> {
        self.0.settle(LIMIT).unwrap()
    }

    fn received(&self) -> Vec<(&str, &str, &str)> {
        let mut seen = Vec::new();
        for Received { client_id, topic, payload } in self.0.received() {
            seen.push((&**client_id, &**topic, std::str::from_utf8(payload).unwrap()));
        }
        seen
    }
}

fn bytes(stream: u64, bytes: &[u8]) -> Vec<AdversaryOutput> {
    vec![AdversaryOutput::Bytes { stream, bytes: bytes.to_vec() }]
}

fn closed(stream: u64) -> Vec<AdversaryOutput> {
    vec![AdversaryOutput::Closed { stream }]
}

#[test]
fn a_bot_connects_takes_an_order_exfiltrates_and_leaves() {
    let mut bots = Bots::new().connected(1, "pump-1");
    assert_eq!(bots.say(1, &subscribe(1, "orders/#", 0)), bytes(1, &suback(1, 0)));
    bots.0.order("orders/all", b"collect").unwrap();
    assert_eq!(bots.settle(), bytes(1, &publish("orders/all", b"collect")));
    assert_eq!(
        bots.say(1, &publish_acknowledged(1, 7, "exfil/pump-1", b"secret")),
        bytes(1, &acknowledge(0x40, 7))
    );
    assert_eq!(bots.say(1, &PINGREQ), bytes(1, &PINGRESP));
    assert_eq!(bots.say(1, &DISCONNECT), closed(1));
    assert_eq!(bots.received(), [("pump-1", "exfil/pump-1", "secret")]);
}

#[test]
fn a_whole_conversation_in_one_segment_is_answered_whole() {
    let mut bots = Bots::new();
    bots.0.open(1);
    let all =
        [connect("a"), subscribe(1, "orders/#", 0), publish("exfil/a", b"1"), PINGREQ.to_vec()].concat();
    let answers = [CONNACK.to_vec(), suback(1, 0), PINGRESP.to_vec()].concat();
    assert_eq!(bots.say(1, &all), bytes(1, &answers));
    assert_eq!(bots.received(), [("a", "exfil/a", "1")]);
}

#[test]
fn a_retained_order_reaches_a_bot_that_subscribes_later() {
    let mut bots = Bots::new();
    bots.0.order("orders/all", b"sleep").unwrap();
    assert_eq!(bots.settle(), []);
    let mut bots = bots.connected(1, "pump-1");
    let answers = bots.say(1, &subscribe(1, "orders/#", 0));
    // rumqttd keeps the retain flag on what it retained.
    let mut order = publish("orders/all", b"sleep");
    order[0] |= 1;
    assert_eq!(answers, bytes(1, &[suback(1, 0), order].concat()));
    assert_eq!(bots.received(), [], "our own orders are no proof");
}

#[test]
fn a_withdrawn_order_reaches_nobody() {
    let mut bots = Bots::new();
    bots.0.order("orders/all", b"sleep").unwrap();
    bots.0.order("orders/all", b"").unwrap();
    let mut bots = bots.connected(1, "pump-1");
    assert_eq!(bots.say(1, &subscribe(1, "orders/#", 0)), bytes(1, &suback(1, 0)));
}

#[test]
fn every_subscribed_bot_gets_the_order_in_order_of_its_stream() {
    let mut bots = Bots::new().connected(9, "c").connected(2, "a").connected(5, "b");
    for stream in [9, 2] {
        bots.say(stream, &subscribe(1, "orders/+", 0));
    }
    bots.0.order("orders/all", b"go").unwrap();
    let order = publish("orders/all", b"go");
    assert_eq!(bots.settle(), [bytes(2, &order), bytes(9, &order)].concat());
}

#[test]
fn an_acknowledged_order_waits_for_no_acknowledgement() {
    let mut bots = Bots::new().connected(1, "pump-1");
    bots.say(1, &subscribe(1, "orders/#", 1));
    bots.0.order("orders/1", b"x").unwrap();
    assert_eq!(bots.settle(), bytes(1, &publish_acknowledged(1, 1, "orders/1", b"x")));
    assert_eq!(bots.say(1, &acknowledge(0x40, 1)), []);
    assert_eq!(bots.say(1, &PINGREQ), bytes(1, &PINGRESP));
}

#[test]
fn a_bot_that_acknowledges_nothing_gets_a_hundred_orders_and_settles() {
    let mut bots = Bots::new().connected(1, "pump-1");
    bots.say(1, &subscribe(1, "orders/#", 1));
    for _ in 0..103 {
        bots.0.order("orders/1", b"x").unwrap();
    }
    let order = publish_acknowledged(1, 1, "orders/1", b"x").len();
    let [AdversaryOutput::Bytes { bytes: orders, .. }] = &bots.settle()[..] else { panic!("no orders") };
    assert_eq!(orders.len(), 100 * order);
    assert_eq!(bots.say(1, &acknowledge(0x40, 1)).len(), 1, "room for one more");
}

#[test]
fn exactly_once_exfiltration_is_received_once_at_its_release() {
    let mut bots = Bots::new().connected(1, "pump-1");
    assert_eq!(bots.say(1, &publish_acknowledged(2, 3, "exfil/x", b"1")), bytes(1, &acknowledge(0x50, 3)));
    assert_eq!(bots.received(), []);
    assert_eq!(bots.say(1, &acknowledge(0x62, 3)), bytes(1, &acknowledge(0x70, 3)));
    assert_eq!(bots.received(), [("pump-1", "exfil/x", "1")]);
}

#[test]
fn an_unsubscribed_bot_gets_no_more_orders() {
    let mut bots = Bots::new().connected(1, "pump-1");
    bots.say(1, &subscribe(1, "orders/#", 0));
    assert_eq!(bots.say(1, &unsubscribe(2, "orders/#")), bytes(1, &acknowledge(0xB0, 2)));
    bots.0.order("orders/all", b"go").unwrap();
    assert_eq!(bots.settle(), []);
}

#[test]
fn a_persistent_bot_gets_on_return_what_it_missed() {
    let mut bots = Bots::new();
    bots.0.open(1);
    let persistent = connect_with("pump-1", 0, 60, &[]);
    bots.say(1, &[persistent.clone(), subscribe(1, "orders/#", 1)].concat());
    bots.0.close(1);
    bots.0.order("orders/all", b"go").unwrap();
    assert_eq!(bots.settle(), [], "a stream that the device closed is not reported");
    bots.0.open(2);
    let answers = [[0x20, 2, 1, 0].to_vec(), publish_acknowledged(1, 1, "orders/all", b"go")].concat();
    assert_eq!(bots.say(2, &persistent), bytes(2, &answers));
}

#[test]
fn a_will_of_a_bot_that_vanishes_is_received() {
    let mut bots = Bots::new();
    bots.0.open(1);
    bots.say(1, &connect_with_will("pump-1", "exfil/last", "caught"));
    bots.0.close(1);
    assert_eq!(bots.settle(), []);
    assert_eq!(bots.received(), [("pump-1", "exfil/last", "caught")]);
}

#[test]
fn a_bot_that_returns_under_its_name_ends_its_older_stream() {
    let bots = Bots::new().connected(1, "pump-1");
    let mut bots = bots;
    bots.0.open(2);
    assert_eq!(bots.say(2, &connect("pump-1")), [closed(1), bytes(2, &CONNACK)].concat());
    assert_eq!(bots.say(2, &PINGREQ), bytes(2, &PINGRESP));
}

#[test]
fn garbage_closes_and_leaves_others_alone() {
    let mut bots = Bots::new().connected(1, "pump-1");
    for (stream, garbage) in (2..).zip([
        &b"GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03............................................",
        &[0xF0, 0],
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &PINGREQ,
        &connect_with("no-keep-alive", 2, 0, &[]),
    ]) {
        bots.0.open(stream);
        assert_eq!(bots.say(stream, garbage), closed(stream), "{garbage:?}");
        assert_eq!(bots.say(stream, garbage), [], "nothing more comes of it");
    }
    assert_eq!(bots.say(1, &PINGREQ), bytes(1, &PINGRESP));
}

#[test]
fn garbage_after_connect_closes_too() {
    for garbage in [
        &[0xF0, 0][..],
        &acknowledge(0x40, 5),
        &acknowledge(0x62, 5),
        &subscribe(1, "$SYS/#", 0),
        &publish_acknowledged(1, 0, "t", b""),
        &publish_acknowledged(3, 1, "t", b""),
        &[0x30, 4, 0, 2, 0xC3, 0x28],
    ] {
        let mut bots = Bots::new().connected(1, "pump-1");
        assert_eq!(bots.say(1, garbage), closed(1), "{garbage:?}");
    }
}

#[test]
fn packets_that_would_stop_the_broker_end_only_their_own_stream() {
    let mut bots = Bots::new().connected(1, "pump-1");
    for (stream, client_id) in [(2, "a/b"), (3, "a/b"), (4, "hilarm operator")] {
        bots.0.open(stream);
        assert_eq!(bots.say(stream, &connect(client_id)), closed(stream));
    }
    let bots = bots.connected(5, "wide");
    let mut bots = bots;
    assert_eq!(bots.say(5, &publish("é", b"x")), closed(5));
    assert_eq!(bots.say(1, &publish("exfil/a", b"still there")), []);
    assert_eq!(bots.received(), [("pump-1", "exfil/a", "still there")]);
}

#[test]
fn half_a_packet_owes_nothing_and_counts_when_it_is_whole() {
    let mut bots = Bots::new().connected(1, "pump-1");
    let message = publish("exfil/a", b"0123456789");
    assert_eq!(bots.say(1, &message[..5]), []);
    assert_eq!(bots.say(1, &message[5..]), []);
    assert_eq!(bots.received().len(), 1);
    assert_eq!(bots.say(1, &message[..5]), []);
    bots.0.close(1);
    assert_eq!(bots.settle(), []);
    assert_eq!(bots.received().len(), 1);
}

#[test]
fn messages_and_packets_that_owe_nothing_settle_at_once() {
    let mut bots = Bots::new().connected(1, "pump-1");
    assert_eq!(bots.settle(), []);
    // A reserved topic that nobody may see, a second CONNECT, and a server's packet from a client.
    for ignored in [publish("$SYS/x", b"1"), connect("again"), CONNACK.to_vec()] {
        assert_eq!(bots.say(1, &ignored), []);
    }
    assert_eq!(bots.say(7, &PINGREQ), [], "a stream that was never opened");
    assert_eq!(bots.say(1, &PINGREQ), bytes(1, &PINGRESP));
}

#[test]
fn a_flood_is_received_message_by_message() {
    let mut bots = Bots::new().connected(1, "a").connected(2, "b");
    for n in 0..500u32 {
        bots.0.send(1, &publish("exfil/a", n.to_string().as_bytes()));
        bots.0.send(2, &publish("exfil/b", n.to_string().as_bytes()));
    }
    bots.settle();
    let expected: Vec<_> = (0..500).flat_map(|n| [("a", n), ("b", n)]).collect();
    let received: Vec<_> = bots.received().into_iter().map(|(id, _, n)| (id, n.parse().unwrap())).collect();
    assert_eq!(received, expected);
}

#[test]
fn a_large_exfiltration_arrives_whole_and_one_over_the_limit_closes() {
    let mut bots = Bots::new().connected(1, "a");
    let loot = vec![0x41; 900_000];
    assert_eq!(bots.say(1, &publish("exfil/a", &loot)), []);
    assert_eq!(bots.0.received()[0].payload.len(), loot.len());
    assert_eq!(bots.say(1, &publish("exfil/a", &vec![0; 1 << 20])), closed(1));
}

#[test]
fn orders_on_topics_that_nobody_can_be_sent_are_refused() {
    let mut bots = Bots::new();
    for topic in ["", "orders/#", "a+b", "$SYS/x", "é"] {
        assert!(matches!(bots.0.order(topic, b"x"), Err(AdversaryError::InvalidTopic { .. })), "{topic:?}");
    }
}
