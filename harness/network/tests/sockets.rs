//! A sim device against the network, by socket requests.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod bench;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bench::{HUB, World};
use hilarm_model::{Monotonic, TlsVersion};
use hilarm_network::{Dropped, Endpoint, FlowProtocol, Input, LinkInput, LinkOutput, NetworkFact, SocketId};

const SOCKET: SocketId = SocketId(3);
const MINUTE: Duration = Duration::from_secs(60);

fn open(remote: SocketAddrV4) -> LinkInput {
    let (client_chain, sni) = (vec![vec![1, 2, 3]], Some("hub.hilarm.test".to_string()));
    LinkInput::Open { socket: SOCKET, remote, client_chain, sni }
}

fn send(bytes: &[u8]) -> LinkInput {
    LinkInput::Send { socket: SOCKET, bytes: bytes.to_vec() }
}

fn ms(ms: u64) -> Monotonic {
    Monotonic::from_micros(ms * 1000)
}

#[test]
fn a_connection_takes_a_round_trip_and_states_its_facts() {
    let mut world = World::sockets(1);
    world.faults(50, 0, false);
    world.device(open(HUB));
    world.device(send(b"hello"));
    world.run_for(MINUTE);
    let facts = &world.heard.opened[0];
    assert_eq!((facts.version, facts.suite.as_str()), (TlsVersion::Stated, "none"));
    assert_eq!(
        (facts.client_chain.clone(), facts.sni.as_deref()),
        (vec![vec![1, 2, 3]], Some("hub.hilarm.test"))
    );
    let local = SocketAddrV4::new(Ipv4Addr::new(10, 42, 0, 2), 49_152);
    assert_eq!(
        world.heard.answers,
        [
            (ms(0), LinkOutput::Opening { socket: SOCKET, local }),
            (ms(100), LinkOutput::Opened { socket: SOCKET, local }),
            (ms(100), LinkOutput::Received { socket: SOCKET, bytes: b"hello".to_vec() }),
        ]
    );
    assert_eq!(world.network.hub_plaintext_bytes(world.link), (5, 5));
}

#[test]
fn names_resolve_and_unknown_names_do_not() {
    let mut world = World::sockets(1);
    world.network.set_name("c2.evil.test".to_string(), Some(Ipv4Addr::new(203, 0, 113, 66)));
    for (query, name) in [(1, "HUB.hilarm.test"), (2, "c2.evil.test"), (3, "nowhere.test")] {
        world.device(LinkInput::Resolve { query, name: name.to_string() });
    }
    world.run_for(MINUTE);
    let answers = world.heard.answers.iter().map(|(_, answer)| answer.clone());
    let (datagrams, answers): (Vec<_>, Vec<_>) =
        answers.partition(|answer| matches!(answer, LinkOutput::NameDatagram { .. }));
    let resolved = |query, address| LinkOutput::Resolved { query, address };
    assert_eq!(
        answers,
        [resolved(1, Some(*HUB.ip())), resolved(2, Some(Ipv4Addr::new(203, 0, 113, 66))), resolved(3, None),]
    );
    assert_eq!(datagrams.len(), 6, "each query and each reply is told of");
    let flows: Vec<_> = world.network.flows().map(|flow| (flow.protocol, flow.remote.port())).collect();
    assert_eq!(flows, [(FlowProtocol::Udp, 53); 3], "and each look-up is a flow");
}

#[test]
fn refused_swallowed_and_sunk_connections_end_as_on_a_wire() {
    let mut world = World::sockets(1);
    world.device(open("10.77.0.10:8884".parse().unwrap()));
    world.device(LinkInput::Open {
        socket: SocketId(4),
        remote: "192.0.2.1:80".parse().unwrap(),
        client_chain: Vec::new(),
        sni: None,
    });
    let sink = "198.51.100.7:80".parse().unwrap();
    world.network.set_endpoint(sink, Endpoint::Sink);
    world.run_for(MINUTE);
    let opening = |(_, answer): &&(_, LinkOutput)| matches!(answer, LinkOutput::Opening { .. });
    assert_eq!(world.heard.answers.iter().filter(opening).count(), 2, "a SYN goes out in any case");
    world.heard.answers.retain(|answer| !opening(&answer));
    assert_eq!(
        world.heard.answers,
        [
            (ms(0), LinkOutput::Closed { socket: SOCKET, reason: "refused" }),
            (ms(30_000), LinkOutput::Closed { socket: SocketId(4), reason: "timed out" }),
        ]
    );
    world.device(open(sink));
    world.device(send(b"secrets"));
    world.run_for(MINUTE);
    assert_eq!(world.network.sink(sink).unwrap().bytes, b"secrets");
    assert_eq!(world.network.flows().count(), 3);
}

#[test]
fn either_side_closes() {
    let mut world = World::sockets(1);
    world.device(open(HUB));
    world.device(LinkInput::Close { socket: SOCKET });
    world.run_for(MINUTE);
    assert_eq!(world.heard.hub_closed, 1);
    world.device(open(HUB));
    let connection = hilarm_model::ConnectionId(2);
    let now = world.now;
    world.network.handle_input(Input::HubSend { connection, bytes: b"bye".to_vec() }, now);
    world.network.handle_input(Input::HubClose { connection }, now);
    world.run_for(MINUTE);
    let last: Vec<_> = world.heard.answers.iter().rev().take(2).map(|(_, answer)| answer.clone()).collect();
    assert_eq!(
        last,
        [
            LinkOutput::Closed { socket: SOCKET, reason: "closed by peer" },
            LinkOutput::Received { socket: SOCKET, bytes: b"bye".to_vec() },
        ]
    );
    assert_eq!(world.heard.hub_closed, 1);
}

#[test]
fn a_number_used_again_is_another_connection() {
    let mut world = World::sockets(1);
    world.device(open(HUB));
    world.device(open(HUB));
    world.run_for(MINUTE);
    assert_eq!((world.heard.opened.len(), world.heard.hub_closed), (2, 1));
    assert_ne!(world.heard.opened[0].address, world.heard.opened[1].address);
}

/// When each of a hundred echoes arrived.
fn lossy(seed: u64) -> Vec<Monotonic> {
    let mut world = World::sockets(seed);
    world.faults(10, 100_000, false);
    world.device(open(HUB));
    for n in 0..100u8 {
        world.device(send(&[n]));
        world.run_for(Duration::from_millis(100));
    }
    world.run_for(MINUTE);
    let received: Vec<u8> = world
        .heard
        .answers
        .iter()
        .filter_map(|(_, answer)| match answer {
            LinkOutput::Received { bytes, .. } => Some(bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(received, (0..100).collect::<Vec<u8>>());
    assert!(world.network.drops(world.link, Dropped::Loss) > 0);
    world.heard.answers.iter().map(|(at, _)| *at).collect()
}

#[test]
fn loss_delays_keeps_order_and_is_the_same_for_the_same_seed() {
    let first = lossy(3);
    assert_eq!(first, lossy(3));
    assert_ne!(first, lossy(4));
}

#[test]
fn a_partition_holds_back_until_it_heals_or_the_device_gives_up() {
    let mut world = World::sockets(1);
    world.faults(10, 0, false);
    world.device(open(HUB));
    world.run_for(Duration::from_secs(1));
    world.faults(10, 0, true);
    world.device(send(b"held"));
    world.device(LinkInput::Open { socket: SocketId(4), remote: HUB, client_chain: Vec::new(), sni: None });
    world.device(LinkInput::Resolve { query: 9, name: "hub.hilarm.test".to_string() });
    world.run_for(Duration::from_secs(59));
    let reasons: Vec<_> = world.heard.answers[4..].iter().map(|(_, answer)| answer.clone()).collect();
    assert_eq!(
        reasons,
        [
            LinkOutput::Resolved { query: 9, address: None },
            LinkOutput::Closed { socket: SocketId(4), reason: "timed out" },
        ]
    );
    world.faults(10, 0, false);
    world.run_for(MINUTE);
    let (when, last) = world.heard.answers.last().unwrap();
    assert_eq!(
        (*when, last),
        (ms(60_020), &LinkOutput::Received { socket: SOCKET, bytes: b"held".to_vec() })
    );
    assert!(world.told(|fact| matches!(fact, NetworkFact::PacketDropped { .. })) > 0);
}
