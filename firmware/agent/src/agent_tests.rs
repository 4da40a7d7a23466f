//! One device's conversations, from boot on, with a hub made by hand.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;
use crate::hub::topics;
use crate::io::Remote;
use crate::mqtt::peer::{self, FromClient};
use crate::testing::{OnOpen, T0_S, World, sas_config, x509_config};

const SECOND: u64 = 1_000_000;

fn telemetry(count: u32, interval_ms: u32) -> Command {
    Command::SendTelemetry { count, interval_ms, payload_bytes: 40 }
}

fn bounded(attempts: u16, gap_ms: Option<u32>) -> Command {
    Command::Connect { attempts: Some(attempts), gap_ms }
}

fn failed(reason: &str) -> DeviceEvent {
    DeviceEvent::ConnectFailed { reason: reason.to_string() }
}

#[test]
fn the_first_output_says_that_the_device_booted() {
    let mut agent = Agent::new(sas_config(), "sim", 7);
    let Some(Output::ToHarness(FromDevice::Event(DeviceEvent::Booted { target, nonce, .. }))) =
        agent.poll_output()
    else {
        panic!("Booted comes first")
    };
    assert_eq!((target.as_str(), nonce), ("sim", 7));
    assert_eq!(agent.poll_output(), None);
}

#[test]
fn a_connection_goes_to_the_hub_by_name_with_tls_and_identifies_the_device() {
    let world = World::connected();
    let (socket, remote, tls) = world.last_opened();
    assert_eq!(socket, Socket::HUB);
    assert_eq!(*remote, Remote::Host { name: "hub.hilarm.test".to_string(), port: 8883 });
    assert_eq!(tls.unwrap().server_name, "hub.hilarm.test");
    let packets = world.hub_packets();
    let FromClient::Connect { client_id, user_name, password, clean: false } = packets[0] else {
        panic!("{packets:?}")
    };
    assert_eq!(client_id, "pump-1");
    assert!(user_name.as_ref().is_some_and(|name| name.starts_with("hub.hilarm.test/pump-1/?api-version=")));
    let expiry = format!("&se={}", T0_S + 3600);
    assert!(password.as_ref().is_some_and(|token| token.ends_with(&expiry)));
    assert_eq!(world.events().last(), Some(&&DeviceEvent::Connected { session_present: false }));
}

#[test]
fn a_device_with_a_certificate_sends_no_password() {
    let mut world = World::new(x509_config(&[T0_S + 100]));
    world.connect();
    assert!(world.last_certificate().is_some());
    assert_eq!(world.last_password(), None);
}

#[test]
fn it_subscribes_when_the_session_is_new_and_not_when_it_resumes() {
    let mut world = World::connected();
    let subscribes = |world: &World| {
        world.hub_packets().iter().filter(|packet| matches!(packet, FromClient::Subscribe { .. })).count()
    };
    let FromClient::Subscribe { filters, .. } = world.hub_packets()[1] else { panic!("SUBSCRIBE") };
    let filters: Vec<_> = filters.iter().map(|(filter, qos)| (filter.as_str(), *qos)).collect();
    assert_eq!(
        filters,
        [
            ("$iothub/methods/POST/#", 0),
            ("$iothub/twin/PATCH/properties/desired/#", 0),
            ("$iothub/twin/res/#", 0),
            ("devices/pump-1/messages/devicebound/#", 1),
        ]
    );
    world.reconnect();
    assert_eq!(world.events().last(), Some(&&DeviceEvent::Connected { session_present: true }));
    assert_eq!(subscribes(&world), 1);
}

#[test]
fn telemetry_goes_out_at_its_pace_as_json_at_least_once() {
    let mut world = World::connected();
    world.command(telemetry(3, 1000)).unwrap();
    assert_eq!(world.telemetry().len(), 1);
    world.run_for_s(1);
    assert_eq!(world.telemetry().len(), 2);
    world.run_for_s(10);
    let sent = world.telemetry();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|publish| publish.id.is_some() && publish.payload.len() == 40));
    assert!(sent[0].payload.starts_with(br#"{"seq":1,"temperature":2"#));
}

#[test]
fn telemetry_of_an_unconnected_device_waits_for_the_connection() {
    let mut world = World::new(sas_config());
    world.command(telemetry(5, 100)).unwrap();
    world.run_for_s(1);
    world.connect();
    assert_eq!(world.telemetry().len(), 5);
}

#[test]
fn a_full_queue_drops_the_oldest_with_a_log_line() {
    let mut world = World::new(sas_config());
    world.command(telemetry(300, 10)).unwrap();
    world.run_for_s(4);
    world.connect();
    let sent = world.telemetry();
    assert_eq!(sent.len(), 256);
    assert!(sent[0].payload.starts_with(br#"{"seq":45,"#), "{sent:?}");
    assert!(world.logs().iter().any(|line| line.starts_with("queue full")));
}

#[test]
fn the_twin_is_read_on_command_and_its_desired_version_reported() {
    let mut world = World::connected();
    world.command(Command::ReadTwin).unwrap();
    assert_eq!(world.published("$iothub/twin/GET/?$rid=1")[0].payload, b" ");
    let body = br#"{"desired":{"x":{"y":[1]},"$version":4},"reported":{"$version":1}}"#;
    world.hub_sends(peer::publish("$iothub/twin/res/200/?$rid=1", body, None));
    assert_eq!(world.events().last(), Some(&&DeviceEvent::DesiredProperties { version: 4 }));
}

#[test]
fn a_change_of_desired_properties_is_acknowledged_by_its_version() {
    let mut world = World::connected();
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=9";
    world.hub_sends(peer::publish(topic, br#"{"interval":5,"$version":9}"#, None));
    assert_eq!(world.events().last(), Some(&&DeviceEvent::DesiredProperties { version: 9 }));
    let reported = world.published("$iothub/twin/PATCH/properties/reported/?$rid=1");
    assert_eq!(reported[0].payload, br#"{"acknowledged_version":9}"#);
}

#[test]
fn reported_properties_must_be_an_object_and_need_a_connection() {
    let report = |json: &str| Command::ReportProperties { json: json.to_string() };
    let mut world = World::new(sas_config());
    assert!(matches!(world.command(report("{}")), Err(CommandError::NotNow { .. })));
    assert!(matches!(world.command(Command::ReadTwin), Err(CommandError::NotNow { .. })));
    world.connect();
    assert!(matches!(world.command(report("[1]")), Err(CommandError::Argument { .. })));
    world.command(report(r#"{"firmware":"1.2"}"#)).unwrap();
    let reported = world.published("$iothub/twin/PATCH/properties/reported/?$rid=1");
    assert_eq!(reported[0].payload, br#"{"firmware":"1.2"}"#);
}

#[test]
fn methods_are_answered_under_their_request_id() {
    let mut world = World::connected();
    world.hub_sends(peer::publish("$iothub/methods/POST/ping/?$rid=1a", b"null", None));
    assert_eq!(world.events().last(), Some(&&DeviceEvent::MethodCalled { name: "ping".to_string() }));
    assert_eq!(world.published("$iothub/methods/res/200/?$rid=1a")[0].payload, br#"{"pong":true}"#);
    world.hub_sends(peer::publish("$iothub/methods/POST/reboot/?$rid=1b", b"null", None));
    assert_eq!(world.published("$iothub/methods/res/404/?$rid=1b").len(), 1);
}

#[test]
fn a_cloud_to_device_message_is_acknowledged_and_reported() {
    let mut world = World::connected();
    world.hub_sends(peer::publish("devices/pump-1/messages/devicebound/%24.mid=1", b"hello", Some(3)));
    assert_eq!(world.hub_packets().last(), Some(&&FromClient::PubAck(3)));
    assert_eq!(world.events().last(), Some(&&DeviceEvent::CloudToDeviceReceived { payload_bytes: 5 }));
}

#[test]
fn security_messages_go_out_from_the_first_collection_on_at_least_once() {
    let mut world = World::connected();
    world.run_for_s(600);
    let sent = world.published(&topics::security_message("pump-1"));
    // System information and heartbeat share a message; there is no network stack to see flows.
    assert!((9..=10).contains(&sent.len()), "{}", sent.len());
    assert!(sent.iter().all(|publish| publish.id.is_some()));
}

const SETTINGS: &str = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

#[test]
fn desired_properties_change_the_intervals_of_the_collectors_and_a_twin_read_later_says_the_same() {
    let low = |value: &str| format!(r#"{{"lowPriorityMessageFrequency":{{"value":"{value}"}}}}"#);
    let mut world = World::connected();
    world.run_for_s(100);
    let before = world.published(&topics::security_message("pump-1")).len();
    let body = format!(r#"{{"{SETTINGS}":{},"$version":2}}"#, low("PT5S"));
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=2";
    world.hub_sends(peer::publish(topic, body.as_bytes(), None));
    world.run_for_s(100);
    let faster = world.published(&topics::security_message("pump-1")).len();
    assert!((19..=21).contains(&(faster - before)), "{before} {faster}");
    let body = format!(
        r#"{{"desired":{{"{SETTINGS}":{},"$version":3}},"reported":{{"$version":1}}}}"#,
        low("PT50S")
    );
    world.hub_sends(peer::publish("$iothub/twin/res/200/?$rid=1", body.as_bytes(), None));
    world.run_for_s(100);
    let slower = world.published(&topics::security_message("pump-1")).len();
    assert!((2..=3).contains(&(slower - faster)), "{faster} {slower}");
}

#[test]
fn desired_properties_of_hostile_shape_are_acknowledged_and_change_nothing() {
    let mut world = World::connected();
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=2";
    let deep = "[".repeat(10_000);
    for body in ["", "[]", "1", &deep, &format!(r#"{{"{SETTINGS}":[1]}}"#), "\u{0}"] {
        world.hub_sends(peer::publish(topic, body.as_bytes(), None));
    }
    world.run_for_s(600);
    assert!((9..=10).contains(&world.published(&topics::security_message("pump-1")).len()));
}

#[test]
fn an_unconnected_device_keeps_its_last_collection_for_the_connection() {
    let mut world = World::new(sas_config());
    world.run_for_s(600);
    world.connect();
    assert_eq!(world.published(&topics::security_message("pump-1")).len(), 1);
}

#[test]
fn bounded_tries_keep_their_gap_and_end_in_giving_up() {
    let mut world = World::new(sas_config());
    world.connack = 5;
    world.command(bounded(3, Some(2000))).unwrap();
    world.run_for_s(600);
    assert_eq!(world.tries(), [0, 2 * SECOND, 4 * SECOND]);
    let failed = failed("connack 5");
    assert_eq!(world.events()[1..], [&failed, &failed, &failed, &DeviceEvent::GaveUp]);
    world.connack = 0;
    world.connect();
    assert_eq!(world.tries().len(), 4, "a new command begins anew");
}

#[test]
fn the_gap_counts_from_the_end_of_a_failed_try() {
    let mut world = World::new(sas_config());
    world.on_open = OnOpen::Silence;
    world.command(bounded(2, Some(1000))).unwrap();
    world.run_for_s(120);
    assert_eq!(world.tries(), [0, 31 * SECOND]);
    assert_eq!(world.time_of(&failed("timed out")), Some(30 * SECOND));
    assert_eq!(world.time_of(&DeviceEvent::GaveUp), Some(61 * SECOND));
}

#[test]
fn unbounded_tries_back_off_up_to_a_minute() {
    let mut world = World::new(sas_config());
    world.on_open = OnOpen::Refuse;
    world.connect();
    world.run_for_s(600);
    let tries = world.tries();
    let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((SECOND..SECOND * 3 / 2).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.iter().all(|&pause| pause <= 60 * SECOND));
    assert!((12..20).contains(&pauses.len()), "{pauses:?}");
    world.on_open = OnOpen::Accept;
    world.run_for_s(60);
    assert!(matches!(world.events().last(), Some(DeviceEvent::Connected { .. })));
}

#[test]
fn a_lost_connection_is_reported_and_taken_up_again_and_unacknowledged_telemetry_sent_again() {
    let mut world = World::connected();
    world.acknowledge = false;
    world.command(telemetry(1, 1000)).unwrap();
    world.acknowledge = true;
    world.input(Input::Closed { socket: Socket::HUB, reason: "closed by peer".to_string() });
    let lost = DeviceEvent::Disconnected { reason: "closed by peer".to_string() };
    assert_eq!(world.events().last(), Some(&&lost));
    world.run_for_s(2);
    let settled = DeviceEvent::TelemetrySettled { acknowledged: 1, dropped: 0 };
    let events = world.events();
    assert_eq!(events[events.len() - 2..], [&DeviceEvent::Connected { session_present: true }, &settled]);
    let duplicates: Vec<bool> = world.telemetry().iter().map(|publish| publish.duplicate).collect();
    assert_eq!(duplicates, [false, true]);
}

#[test]
fn success_ends_the_bounds_and_the_backoff_so_that_later_losses_are_taken_up_without_end() {
    let mut world = World::new(sas_config());
    world.on_open = OnOpen::Refuse;
    world.command(bounded(6, None)).unwrap();
    world.run_for_s(30);
    world.on_open = OnOpen::Accept;
    world.run_for_s(60);
    assert!(matches!(world.events().last(), Some(DeviceEvent::Connected { .. })));
    world.on_open = OnOpen::Refuse;
    let before = world.tries().len();
    let lost_us = world.now().mono_us;
    world.input(Input::Closed { socket: Socket::HUB, reason: "closed by peer".to_string() });
    world.run_for_s(600);
    let tries = &world.tries()[before..];
    assert!(tries[0] - lost_us < 2 * SECOND, "{tries:?}");
    assert!(tries.len() > 6 && !world.events().contains(&&DeviceEvent::GaveUp), "{tries:?}");
}

#[test]
fn a_device_told_to_disconnect_takes_leave_and_stays_away() {
    let mut world = World::connected();
    world.command(Command::Disconnect).unwrap();
    assert_eq!(world.hub_packets().last(), Some(&&FromClient::Disconnect));
    world.run_for_s(600);
    assert_eq!(world.connections(), 1);
}

#[test]
fn a_second_connect_is_not_taken() {
    let mut world = World::connected();
    let refused = world.command(Command::Connect { attempts: None, gap_ms: None });
    assert_eq!(refused, Err(CommandError::NotNow { reason: "already connected".to_string() }));
    let mut world = World::new(sas_config());
    assert!(matches!(world.command(bounded(0, None)), Err(CommandError::Argument { .. })));
}

#[test]
fn a_token_older_than_85_percent_is_renewed_by_an_orderly_reconnection() {
    let mut world = World::connected();
    let first = world.last_password();
    world.run_for_s(3059);
    assert_eq!((world.connections(), world.last_password()), (1, first.clone()));
    world.forget_events();
    world.run_for_s(1);
    assert_eq!(world.connections(), 2);
    assert_ne!(world.last_password(), first);
    assert_eq!(world.events(), [&DeviceEvent::Connected { session_present: true }], "nothing was lost");
}

#[test]
fn after_a_jump_of_the_calendar_the_token_is_renewed_before_the_next_publish() {
    let mut world = World::connected();
    world.advance_calendar_s(3660);
    world.command(telemetry(1, 1000)).unwrap();
    let packets = world.hub_packets();
    let position = |wanted: fn(&FromClient) -> bool| packets.iter().rposition(|packet| wanted(packet));
    let connect = position(|packet| matches!(packet, FromClient::Connect { .. }));
    let publish = position(|packet| matches!(packet, FromClient::Publish(_)));
    assert_eq!(world.connections(), 2);
    assert!(connect < publish);
}

#[test]
fn a_renewal_waits_for_what_is_in_flight_but_not_for_ever() {
    let mut world = World::connected();
    world.acknowledge = false;
    world.command(telemetry(1, 1000)).unwrap();
    world.advance_calendar_s(3660);
    world.timeout();
    assert_eq!(world.connections(), 1);
    let id = world.telemetry()[0].id.unwrap();
    world.hub_sends(peer::puback(id));
    assert_eq!(world.connections(), 2, "as soon as the PUBACK is in");
    world.command(telemetry(1, 1000)).unwrap();
    world.advance_calendar_s(3660);
    world.timeout();
    world.run_for_s(2);
    assert_eq!(world.connections(), 3, "two seconds at most");
}

#[test]
fn an_unknown_behaviour_and_a_behaviour_not_running_are_refused() {
    let mut world = World::connected();
    assert_eq!(world.run_behaviour("dance", &[]), Err(CommandError::UnknownBehaviour));
    assert_eq!(world.stop_behaviour("dance"), Err(CommandError::UnknownBehaviour));
    let refused = world.stop_behaviour("forge-token");
    assert!(matches!(refused, Err(CommandError::NotNow { .. })));
}

#[test]
fn an_idle_device_is_woken_rarely() {
    let mut world = World::connected();
    let mut wakes = 0;
    while world.now().mono_us < 600 * SECOND {
        let due_us = world.agent.poll_timeout(world.now()).unwrap();
        world.run_for_s((due_us - world.now().mono_us).div_ceil(SECOND));
        wakes += 1;
    }
    assert!(wakes < 100, "{wakes} wakes in ten minutes");
}

#[test]
fn equal_seeds_give_equal_conversations() {
    let conversation = || {
        let mut world = World::connected();
        world.command(telemetry(20, 700)).unwrap();
        world.run_for_s(300);
        let packets: Vec<FromClient> = world.hub_packets().into_iter().cloned().collect();
        packets
    };
    assert_eq!(conversation(), conversation());
}
