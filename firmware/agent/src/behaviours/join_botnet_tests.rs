//! The bot against a broker made by hand.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{CommandError, DeviceEvent, Value};

use crate::io::{Input, Remote, Socket};
use crate::mqtt::Publish;
use crate::mqtt::peer::{self, FromClient};
use crate::testing::{OnOpen, World};

const BOT: Socket = Socket(1);

fn args(extra: &[(&str, i64)]) -> Vec<(String, Value)> {
    let address = ("address".to_string(), Value::Text("198.51.100.66".to_string()));
    let extra = extra.iter().map(|&(name, value)| (name.to_string(), Value::Int(value)));
    core::iter::once(address).chain(extra).collect()
}

fn infected(extra: &[(&str, i64)]) -> World {
    let mut world = World::connected();
    world.run_behaviour("join-botnet", &args(extra)).unwrap();
    world
}

fn exfiltrated(world: &World) -> Vec<&Publish> {
    let packets = world.packets_of(BOT).into_iter();
    packets
        .filter_map(|packet| match packet {
            FromClient::Publish(publish) => Some(publish),
            _ => None,
        })
        .collect()
}

fn finished(world: &World) -> usize {
    let wanted = DeviceEvent::BehaviourFinished { name: "join-botnet".to_string() };
    world.events().into_iter().filter(|event| **event == wanted).count()
}

fn order(world: &mut World, payload: &[u8]) {
    let bytes = peer::publish("orders/all", payload, Some(77));
    world.input(Input::Received { socket: BOT, bytes });
}

#[test]
fn it_opens_a_plain_connection_of_its_own_and_subscribes_for_orders() {
    let world = infected(&[]);
    let remote = Remote::Address { address: [198, 51, 100, 66], port: 1883 };
    assert_eq!(world.last_opened(), (BOT, &remote, None));
    let packets = world.packets_of(BOT);
    let FromClient::Connect { client_id, password: None, clean: true, .. } = packets[0] else {
        panic!("{packets:?}")
    };
    assert_eq!(client_id, "bot-pump-1");
    let FromClient::Subscribe { filters, .. } = packets[1] else { panic!("{packets:?}") };
    assert_eq!(filters[..], [("orders/#".to_string(), 1)]);
}

#[test]
fn it_exfiltrates_at_its_interval_and_finishes_when_all_is_acknowledged() {
    let mut world = infected(&[("messages", 3), ("interval_ms", 1000)]);
    assert_eq!(exfiltrated(&world).len(), 1, "the first at once");
    world.run_for_s(1);
    assert_eq!((exfiltrated(&world).len(), finished(&world)), (2, 0));
    world.run_for_s(5);
    let sent = exfiltrated(&world);
    assert_eq!((sent.len(), finished(&world)), (3, 1));
    assert!(sent.iter().all(|publish| publish.topic == "exfil/pump-1" && publish.id.is_some()));
}

#[test]
fn without_pubacks_it_does_not_finish() {
    let mut world = infected(&[("messages", 0)]);
    assert_eq!(finished(&world), 1, "nothing was to be sent");
    world.acknowledge = false;
    order(&mut world, b"exfiltrate 2");
    world.run_for_s(10);
    assert_eq!((exfiltrated(&world).len(), finished(&world)), (2, 1));
}

#[test]
fn an_order_is_acknowledged_and_obeyed() {
    let mut world = infected(&[("messages", 1)]);
    order(&mut world, b"exfiltrate 4");
    world.run_for_s(10);
    assert!(world.packets_of(BOT).contains(&&FromClient::PubAck(77)));
    assert_eq!((exfiltrated(&world).len(), finished(&world)), (5, 2));
}

#[test]
fn an_order_that_makes_no_sense_or_asks_for_too_much_does_no_harm() {
    let mut world = infected(&[("messages", 1)]);
    for payload in [&b"dance"[..], b"exfiltrate", b"exfiltrate -1", b"\xFF\xFE"] {
        order(&mut world, payload);
    }
    world.run_for_s(5);
    assert_eq!(exfiltrated(&world).len(), 1);
    order(&mut world, b"exfiltrate 4294967295");
    world.run_for_s(20_000);
    assert_eq!(exfiltrated(&world).len(), 1 + 10_000);
}

#[test]
fn a_refused_connection_is_tried_again_with_growing_pauses() {
    let mut world = World::connected();
    world.on_open = OnOpen::Refuse;
    world.run_behaviour("join-botnet", &args(&[])).unwrap();
    world.run_for_s(20);
    assert_eq!(finished(&world), 0);
    world.on_open = OnOpen::Accept;
    world.run_for_s(60);
    assert_eq!((exfiltrated(&world).len(), finished(&world)), (3, 1));
}

#[test]
fn a_lost_connection_is_taken_up_again_and_nothing_is_lost() {
    let mut world = infected(&[("messages", 5)]);
    world.input(Input::Closed { socket: BOT, reason: "closed by peer".to_string() });
    world.run_for_s(60);
    assert_eq!((exfiltrated(&world).len(), finished(&world)), (5, 1));
}

#[test]
fn stopping_it_takes_leave_and_frees_the_socket() {
    let mut world = infected(&[]);
    assert!(matches!(world.run_behaviour("join-botnet", &args(&[])), Err(CommandError::NotNow { .. })));
    world.stop_behaviour("join-botnet").unwrap();
    assert_eq!(world.packets_of(BOT).last(), Some(&&FromClient::Disconnect));
    world.run_for_s(60);
    assert_eq!(exfiltrated(&world).len(), 1);
    world.run_behaviour("join-botnet", &args(&[])).unwrap();
    assert_eq!(world.last_opened().0, BOT);
}

#[test]
fn the_hub_s_connection_is_left_alone() {
    let mut world = infected(&[]);
    world.run_for_s(5);
    assert_eq!(world.connections(), 1);
}
