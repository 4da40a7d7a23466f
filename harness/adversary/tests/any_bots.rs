//! Whatever bots do, in whatever order: the broker settles, and a second broker answers exactly alike. This is
//! what holds the ledger to the real rumqttd: a debt too many never settles, one too few shows as a difference.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use hilarm_adversary::{AdversaryOutput, CommandAndControl, Received};
use proptest::prelude::*;

mod mqtt;

use mqtt::*;

const STREAMS: u64 = 4;
const TOPICS: [&str; 5] = ["orders/a", "orders/b", "exfil/a", "", "$SYS/x"];
const FILTERS: [&str; 6] = ["orders/#", "orders/+", "#", "exfil/a", "orders/#/b", "$SYS/#"];

#[derive(Clone, Debug)]
enum Act {
    Open(u64),
    Close(u64),
    Say(u64, Vec<u8>),
    Order(&'static str, Vec<u8>),
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    let client = (0..3u8, 0..4u8, any::<bool>()).prop_map(|(id, will, clean)| {
        let (id, clean) = (["a", "b", ""][usize::from(id)], u8::from(clean) * 2);
        match will {
            0 => connect_with_will(id, "exfil/a", "will"),
            1 => connect_with(id, clean, 0, &[]),
            _ => connect_with(id, clean, 60, &[]),
        }
    });
    let topic = || prop::sample::select(&TOPICS[..]);
    let filter = || prop::sample::select(&FILTERS[..]);
    let payload = || prop::collection::vec(any::<u8>(), 0..3);
    let message = (topic(), payload(), 0..3u8, 1..4u16, any::<bool>()).prop_map(|(t, p, qos, id, retain)| {
        let mut packet = if qos == 0 { publish(t, &p) } else { publish_acknowledged(qos, id, t, &p) };
        packet[0] |= u8::from(retain);
        packet
    });
    prop_oneof![
        6 => client,
        6 => (1..4u16, filter(), 0..3u8).prop_map(|(id, filter, qos)| subscribe(id, filter, qos)),
        2 => (1..4u16, filter()).prop_map(|(id, filter)| unsubscribe(id, filter)),
        8 => message,
        4 => (prop::sample::select(&[0x40u8, 0x50, 0x62, 0x70][..]), 1..4u16)
            .prop_map(|(byte1, id)| acknowledge(byte1, id)),
        1 => Just(PINGREQ.to_vec()),
        1 => Just(DISCONNECT.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let stream = || 0..STREAMS;
    let act = prop_oneof![
        2 => stream().prop_map(Act::Open),
        1 => stream().prop_map(Act::Close),
        12 => (stream(), packets()).prop_map(|(stream, bytes)| Act::Say(stream, bytes)),
        2 => (prop::sample::select(&TOPICS[..3]), prop::collection::vec(any::<u8>(), 0..2))
            .prop_map(|(topic, payload)| Act::Order(topic, payload)),
    ];
    // Most bots begin well: they connect and subscribe.
    let begun = (0..STREAMS).flat_map(|stream| {
        let id = ["a", "b", "c", "d"][usize::try_from(stream).unwrap()];
        let hello = connect_with(id, 0, 60, &[]);
        [Act::Open(stream), Act::Say(stream, [hello, subscribe(1, "orders/#", 1)].concat())]
    });
    prop::collection::vec(act, 0..60).prop_map(move |acts| begun.clone().chain(acts).collect())
}

/// What each settling gave, and what was received in all.
fn live(acts: &[Act]) -> (Vec<Vec<AdversaryOutput>>, Vec<Received>) {
    let mut broker = CommandAndControl::start().unwrap();
    let mut open = [false; STREAMS as usize];
    let mut outputs = Vec::new();
    for act in acts {
        match act {
            Act::Open(stream) if !open[*stream as usize] => {
                open[*stream as usize] = true;
                broker.open(*stream);
            }
            Act::Open(_) => {}
            Act::Close(stream) => {
                open[*stream as usize] = false;
                broker.close(*stream);
            }
            Act::Say(stream, bytes) => broker.send(*stream, bytes),
            Act::Order(topic, payload) => broker.order(topic, payload).unwrap(),
        }
        let settled = broker.settle(Duration::from_secs(5)).unwrap();
        for output in &settled {
            if let AdversaryOutput::Closed { stream } = output {
                open[*stream as usize] = false;
            }
        }
        outputs.push(settled);
    }
    (outputs, broker.received().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_broker_settles_and_repeats_itself(acts in acts()) {
        prop_assert_eq!(live(&acts), live(&acts));
    }
}
