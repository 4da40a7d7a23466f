//! Why rumqttd faces no device directly (design.md, 5): one test for each fact of release 0.20. A test that
//! fails here means that a release has fixed something: reconsider the decision, then change the test.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rumqttd::protocol::v4::V4;
use rumqttd::{AuthHandler, ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};

mod mqtt;

use mqtt::*;

/// A stock rumqttd on a free port, left running: that it cannot be stopped is one of the facts.
fn rumqttd(logins: Option<HashMap<String, String>>) -> SocketAddr {
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let connections = ConnectionSettings {
        connection_timeout_ms: 60_000,
        max_payload_size: 20_480,
        max_inflight_count: 100,
        auth: logins,
        external_auth: None,
        dynamic_filters: false,
    };
    let settings =
        ServerSettings { name: "stock".into(), listen, tls: None, next_connection_delay_ms: 0, connections };
    let mut server = Server::new(settings, router().spawn(), V4);
    let (ready, started) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut serving = std::pin::pin!(server.start(LinkType::Remote));
            let first = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(std::future::Future::poll(serving.as_mut(), cx).is_pending())
            });
            ready.send(first.await).unwrap();
            let _ = serving.await;
        });
    });
    assert!(started.recv().unwrap(), "rumqttd does not listen on {listen}");
    listen
}

fn router() -> Router {
    Router::new(
        0,
        RouterConfig {
            max_connections: 100,
            max_outgoing_packet_count: 200,
            max_segment_size: 10_240,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
    )
}

fn client(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn connected(address: SocketAddr, client_id: &str) -> TcpStream {
    let mut stream = client(address);
    stream.write_all(&connect(client_id)).unwrap();
    assert_eq!(read(&mut stream, 4), CONNACK);
    stream
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Everything up to the end of the stream, which must come.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(e) => panic!("the connection stays open: {e}"),
    }
    bytes
}

#[test]
fn it_disconnects_on_a_subscription_to_a_topic_of_iot_hub() {
    let mut device = connected(rumqttd(None), "pump-1");
    device.write_all(&subscribe(1, "$iothub/twin/res/#", 0)).unwrap();
    assert_eq!(read_to_end(&mut device), b"", "neither granted nor refused by SUBACK 0x80");
}

#[test]
fn it_sends_no_connack_when_it_refuses_a_login() {
    let logins = HashMap::from([("pump-1".to_owned(), "right".to_owned())]);
    let mut device = client(rumqttd(Some(logins)));
    let login = [&[0, 6][..], b"pump-1", &[0, 5], b"wrong"].concat();
    device.write_all(&connect_with("pump-1", 0xC2, 60, &login)).unwrap();
    assert_eq!(read_to_end(&mut device), b"", "IoT Hub answers CONNACK 5");
}

#[test]
fn it_sends_no_connack_to_a_client_without_keep_alive() {
    let mut device = client(rumqttd(None));
    device.write_all(&connect_with("pump-1", 2, 0, &[])).unwrap();
    assert_eq!(read_to_end(&mut device), b"", "MQTT 3.1.1, 3.1.2.10 allows 0");
}

#[test]
fn it_judges_a_login_without_peer_address_and_certificate() {
    // Compiles as long as a login is judged by these three strings alone.
    let handler: AuthHandler = Arc::new(|client_id: String, user_name: String, password: String| {
        Box::pin(async move { client_id == user_name && password.is_empty() })
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(handler("a".into(), "a".into(), String::new())));
}

#[test]
fn it_lets_every_client_read_what_any_other_publishes() {
    let address = rumqttd(None);
    let mut spy = connected(address, "spy");
    spy.write_all(&subscribe(1, "devices/pump-1/#", 0)).unwrap();
    assert_eq!(read(&mut spy, 5), suback(1, 0));
    let message = publish("devices/pump-1/messages/events/", b"secret");
    connected(address, "pump-1").write_all(&message).unwrap();
    assert_eq!(read(&mut spy, message.len()), message, "there are no topic permissions");
}

#[test]
fn its_router_cannot_be_shut_down() {
    // A router ends when all senders of its channel are gone; it holds one itself.
    let ours = router().spawn();
    assert_eq!(ours.sender_count(), 2);
}

#[test]
fn its_router_stops_for_everybody_at_a_topic_that_starts_with_a_wide_character() {
    let address = rumqttd(None);
    let mut bystander = connected(address, "bystander");
    bystander.write_all(&subscribe(1, "t", 0)).unwrap();
    read(&mut bystander, 5);
    connected(address, "pump-1").write_all(&publish("é", b"x")).unwrap();
    assert_eq!(read_to_end(&mut bystander), b"");
}

#[test]
fn it_loses_a_message_that_came_together_with_a_malformed_packet() {
    let address = rumqttd(None);
    let mut spy = connected(address, "spy");
    spy.write_all(&subscribe(1, "t", 0)).unwrap();
    read(&mut spy, 5);
    let mut device = connected(address, "pump-1");
    device.write_all(&[publish("t", b"lost"), vec![0xF0, 0]].concat()).unwrap();
    read_to_end(&mut device);
    connected(address, "pump-2").write_all(&publish("t", b"next")).unwrap();
    let next = publish("t", b"next");
    assert_eq!(read(&mut spy, next.len()), next);
}
