//! A board with its own TCP/IP stack and TLS against the network, by frames.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod bench;

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bench::secure::{Secure, device_certificate};
use bench::{ADDRESS, HUB, World};
use hilarm_model::{Monotonic, TlsVersion};
use hilarm_network::{Dropped, Ended, Endpoint, Input, LinkInput, NetworkFact, RESOLVER, TIME_SERVER};
use hilarm_tls::DeviceCertificate;
use pcap_file::pcapng::{Block, PcapNgReader};
use smoltcp::socket::tcp::State;

const SECOND: Duration = Duration::from_secs(1);

fn at(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}

fn secure(world: &mut World, certificate: Option<DeviceCertificate>) -> Secure {
    let handle = world.board().connect(HUB);
    Secure::new(handle, certificate)
}

/// Sends over TLS to the echoing hub and waits for all of it.
fn echo(world: &mut World, client: &mut Secure, message: &[u8], within: Duration) {
    client.send(message);
    let expected = client.received.len() + message.len();
    let done = world.run(within, |world| {
        client.pump(world.board());
        client.received.len() >= expected
    });
    assert!(done, "{} of {expected} bytes at {}", client.received.len(), world.now.mono);
    assert!(client.received.ends_with(message));
}

fn state(world: &mut World, client: &Secure) -> State {
    world.board().tcp(client.handle).state()
}

#[test]
fn tls_without_a_certificate_ends_in_process_and_bytes_pass_both_ways() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"hello hub", SECOND);
    let facts = &world.heard.opened[0];
    assert_eq!((facts.version, facts.client_chain.len()), (TlsVersion::Tls13, 0));
    assert_eq!((facts.address.ip(), facts.sni.as_deref()), (IpAddr::V4(ADDRESS), Some("hub.hilarm.test")));
    assert_eq!(world.heard.hub, b"hello hub");
    assert_eq!(world.network.hub_plaintext_bytes(world.link), (9, 9));
    // Without latency a whole exchange takes no time at all, address resolution included.
    assert_eq!(world.now.mono, Monotonic::default());
}

#[test]
fn tls_with_a_certificate_tells_the_hub_which() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, Some(device_certificate()));
    echo(&mut world, &mut client, b"x", SECOND);
    assert_eq!(world.heard.opened[0].client_chain, [device_certificate().der]);
}

#[test]
fn the_hub_sees_the_source_address_of_the_scenario() {
    let mut world = World::ethernet(1);
    let source = Ipv4Addr::new(203, 0, 113, 66);
    world.network.set_source(world.link, Some(source));
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    assert_eq!(world.heard.opened[0].address.ip(), IpAddr::V4(source));
    assert_eq!(world.network.flows().next().unwrap().local.ip(), &ADDRESS);
}

#[test]
fn large_messages_pass_a_small_window() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    let message: Vec<u8> = (0..60_000u32).map(|n| (n * 7) as u8).collect();
    echo(&mut world, &mut client, &message, SECOND);
    let flow = world.network.flows().next().unwrap();
    assert!(flow.bytes_out > 60_000 && flow.bytes_in > 60_000, "{flow:?}");
}

#[test]
fn latency_is_exact() {
    let mut world = World::ethernet(1);
    world.faults(50, 0, false);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    // ARP, TCP, TLS with the first bytes behind its end, each a round trip; then the echo's.
    assert_eq!(world.now.mono, Monotonic::from_micros(400_000));
    let before = world.now.mono;
    echo(&mut world, &mut client, b"y", SECOND);
    assert_eq!(world.now.mono.since(before), Duration::from_millis(100));
}

/// Every frame towards the device, with its time, of ten exchanges over a lossy link without TLS, whose
/// random bytes would move the places that losses are keyed to.
fn lossy(seed: u64) -> Vec<(Monotonic, Vec<u8>)> {
    let mut world = World::ethernet(seed);
    let endpoint = at("203.0.113.66:1883");
    world.network.set_endpoint(endpoint, Endpoint::Served("echo".to_string()));
    world.faults(20, 100_000, false);
    let handle = world.board().connect(endpoint);
    world.run(Duration::from_secs(60), |world| world.board().tcp(handle).can_send());
    for n in 0..10u8 {
        world.board().tcp(handle).send_slice(&[n; 3000]).unwrap();
        let mut got = Vec::new();
        assert!(world.run(Duration::from_secs(120), |world| {
            got.extend(world.board().read(handle));
            got.len() == 3000
        }));
        assert_eq!(got, [n; 3000]);
    }
    assert!(world.network.drops(world.link, Dropped::Loss) > 0);
    world.heard.frames
}

#[test]
fn loss_is_recovered_from_and_is_the_same_for_the_same_seed() {
    let first = lossy(3);
    assert!(first == lossy(3));
    assert!(first != lossy(4));
}

#[test]
fn tls_lives_through_loss() {
    let mut world = World::ethernet(5);
    world.faults(20, 100_000, false);
    let mut client = secure(&mut world, Some(device_certificate()));
    for n in 0..10u8 {
        echo(&mut world, &mut client, &[n; 3000], Duration::from_secs(120));
    }
    assert_eq!((world.heard.opened.len(), world.heard.hub.len()), (1, 30_000));
}

#[test]
fn a_partition_drops_everything_and_the_connection_survives_it() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"before", SECOND);
    world.faults(0, 0, true);
    client.send(b"during");
    let passed = world.run(Duration::from_secs(20), |world| {
        client.pump(world.board());
        world.heard.hub.len() > 6
    });
    assert!(!passed && world.network.drops(world.link, Dropped::Partition) > 1);
    world.faults(0, 0, false);
    let passed = world.run(Duration::from_secs(60), |world| {
        client.pump(world.board());
        client.received.ends_with(b"during")
    });
    assert!(passed && world.heard.hub_closed == 0);
}

#[test]
fn an_unknown_address_refuses_and_a_documentation_address_swallows() {
    let mut world = World::ethernet(1);
    let refused = world.board().connect(at("10.77.0.10:8884"));
    let swallowed = world.board().connect(at("203.0.113.66:1883"));
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.board().tcp(refused).state(), State::Closed);
    assert_eq!(world.board().tcp(swallowed).state(), State::SynSent);
    assert_eq!(world.told(|fact| matches!(fact, NetworkFact::ConnectionRefused { .. })), 1);
    // Its retransmissions are the same attempt.
    assert_eq!(world.told(|fact| matches!(fact, NetworkFact::ConnectionSwallowed { .. })), 1);
    assert_eq!(world.network.flows().count(), 2);
}

#[test]
fn a_sink_records_what_it_is_sent_and_never_answers() {
    let mut world = World::ethernet(1);
    let sink = at("198.51.100.7:80");
    world.network.set_endpoint(sink, Endpoint::Sink);
    let handle = world.board().connect(sink);
    world.run_for(SECOND);
    world.board().tcp(handle).send_slice(b"secrets of the pump").unwrap();
    let datagrams = world.board().datagrams(4000);
    world.board().udp(datagrams).send_slice(b"!", (*sink.ip(), 80)).unwrap();
    world.run_for(SECOND);
    let record = world.network.sink(sink).unwrap();
    assert_eq!((&record.bytes[..], record.connections), (&b"secrets of the pump!"[..], 1));
    assert!(world.board().read(handle).is_empty());
    world.board().tcp(handle).close();
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.board().tcp(handle).state(), State::Closed);
    let ended = |fact: &NetworkFact| {
        matches!(fact, NetworkFact::ConnectionEnded { ended: Ended::ByDevice, bytes_out: 19, .. })
    };
    assert_eq!(world.told(ended), 1);
}

#[test]
fn a_served_endpoint_is_handed_the_stream_and_answers_on_it() {
    let mut world = World::ethernet(1);
    let broker = at("203.0.113.66:1883");
    world.network.set_endpoint(broker, Endpoint::Served("c2".to_string()));
    let handle = world.board().connect(broker);
    world.run_for(SECOND);
    let (stream, name) = world.heard.streams[0].clone();
    assert_eq!(name, "c2");
    world.board().tcp(handle).send_slice(b"orders?").unwrap();
    world.run_for(SECOND);
    assert_eq!(world.heard.served, b"orders?");
    let orders = vec![7; 100_000];
    let now = world.now;
    world.board().read(handle);
    world.network.handle_input(Input::ServedSend { stream, bytes: orders.clone() }, now);
    world.network.handle_input(Input::ServedClose { stream }, now);
    let mut got = Vec::new();
    world.run(SECOND, |world| {
        got.extend(world.board().read(handle));
        false
    });
    assert!(got == orders, "{} bytes", got.len());
    assert_eq!(world.board().tcp(handle).state(), State::CloseWait);
    assert_eq!(world.heard.served_closed, 0);
}

#[test]
fn a_close_by_either_side_reaches_the_other() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    world.board().tcp(client.handle).close();
    world.run_for(SECOND);
    assert_eq!(world.heard.hub_closed, 1);

    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    let now = world.now;
    world.network.handle_input(Input::HubClose { connection: hilarm_model::ConnectionId(2) }, now);
    world.run(SECOND, |world| {
        client.pump(world.board());
        false
    });
    assert_eq!((state(&mut world, &client), world.heard.hub_closed), (State::CloseWait, 1));
    assert!(client.tls.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn a_reset_reaches_the_hub() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    world.board().tcp(client.handle).abort();
    world.run_for(SECOND);
    assert_eq!(world.heard.hub_closed, 1);
}

#[test]
fn plaintext_on_the_hubs_port_is_a_tls_failure_and_the_hub_hears_nothing() {
    let mut world = World::ethernet(1);
    let handle = world.board().connect(HUB);
    world.run_for(SECOND);
    world.board().tcp(handle).send_slice(b"\x10\x20\x00\x04MQTT in the clear").unwrap();
    world.run_for(SECOND);
    assert!(world.heard.opened.is_empty() && world.heard.hub.is_empty());
    assert_eq!(world.told(|fact| matches!(fact, NetworkFact::TlsFailed { .. })), 1);
    assert_eq!(world.board().tcp(handle).state(), State::CloseWait);
}

#[test]
fn a_device_that_does_not_read_is_cut_off_before_memory_runs_out() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    for _ in 0..40 {
        let now = world.now;
        let bytes = vec![0; 64 * 1024];
        world.network.handle_input(Input::HubSend { connection: hilarm_model::ConnectionId(1), bytes }, now);
    }
    world.run_for(SECOND);
    let overflowed =
        |fact: &NetworkFact| matches!(fact, NetworkFact::ConnectionEnded { ended: Ended::Overflowed, .. });
    assert_eq!((world.told(overflowed), world.heard.hub_closed), (1, 1));
}

fn ask(world: &mut World, server: Ipv4Addr, port: u16, request: &[u8]) -> Option<Vec<u8>> {
    let handle = world.board().datagrams(4000 + port);
    world.board().udp(handle).send_slice(request, (server, port)).unwrap();
    world.run_for(SECOND);
    world.board().udp(handle).recv().ok().map(|(bytes, _)| bytes.to_vec())
}

#[test]
fn names_and_time_are_served_over_datagrams() {
    let mut world = World::ethernet(1);
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["hub", "hilarm", "test"] {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    let reply = ask(&mut world, RESOLVER, 53, &query).unwrap();
    assert!(reply.ends_with(&[10, 77, 0, 10]));
    let unix = world.now.unix.as_secs();
    let mut request = vec![0; 48];
    request[0] = 0x23;
    let reply = ask(&mut world, TIME_SERVER, 123, &request).unwrap();
    let seconds = u32::from_be_bytes(reply[40..44].try_into().unwrap());
    assert_eq!(i64::from(seconds) - 2_208_988_800, unix);
    assert_eq!(ask(&mut world, Ipv4Addr::new(8, 8, 8, 8), 53, &query), None);
    assert_eq!(world.network.flows().count(), 3);
}

#[test]
fn an_idle_hour_costs_few_visits_and_the_connection_lives_on() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"x", SECOND);
    let mut visits = 0;
    world.run(Duration::from_secs(3600), |_| {
        visits += 1;
        false
    });
    assert!(visits < 10, "{visits} visits");
    echo(&mut world, &mut client, b"y", SECOND);
    assert_eq!(world.heard.opened.len(), 1);
}

#[test]
fn the_capture_holds_every_frame_and_the_secrets() {
    let mut world = World::ethernet(1);
    let mut client = secure(&mut world, None);
    echo(&mut world, &mut client, b"captured", SECOND);
    let mut bytes = Vec::new();
    world.network.write_capture(&mut bytes).unwrap();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let (mut packets, mut secrets) = (0, String::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::EnhancedPacket(_) => packets += 1,
            Block::Unknown(block) => secrets = String::from_utf8_lossy(&block.value[8..]).into_owned(),
            _ => {}
        }
    }
    assert!(secrets.starts_with("SERVER_HANDSHAKE_TRAFFIC_SECRET") || secrets.contains("TRAFFIC_SECRET_0"));
    assert!(packets > world.heard.frames.len(), "{packets}");
}

#[test]
fn frames_of_other_addresses_and_protocols_are_dropped_and_counted() {
    let mut world = World::ethernet(1);
    world.device(LinkInput::Frame(vec![0; 20]));
    world.device(LinkInput::Resolve { query: 1, name: "hub.hilarm.test".to_string() });
    assert_eq!(world.network.drops(world.link, Dropped::Protocol), 2);
    world.device(LinkInput::Frame(vec![0; 3]));
    assert_eq!(world.network.drops(world.link, Dropped::Malformed), 1);
}
