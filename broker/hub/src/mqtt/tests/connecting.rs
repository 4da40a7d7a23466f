//! CONNECT and the end of connections.

use std::time::Duration;

use hilarm_model::{
    CloseReason, ConnectionId, ConnectionRefused, FilterAction, HubEvent, NetworkRules, Operation, Protocol,
    RefusalCause, Timestamp, TlsVersion, UsedAuthentication,
};
use rcgen::{CertificateParams, KeyPair};
use sha1::{Digest, Sha1};

use super::world::{HOST, Login, T0, World, device, login, token};
use crate::mqtt::codec::{Connect, Packet, QoS, Will};
use crate::{DeviceAuthentication, KeyName, Output, ServiceRequest, Thumbprint};

/// The causes of the one refusal so far; CONNACK and close are checked on the way.
fn refused(world: &mut World, on: ConnectionId, code: u8) -> ConnectionRefused {
    let connack = Output::Send { connection: on, bytes: vec![0x20, 2, 0, code] };
    assert_eq!(world.outputs(), [connack, Output::Close { connection: on }]);
    let facts = world.facts();
    let [HubEvent::ConnectionRefused(refused), closed] = &facts[..] else { panic!("{facts:?}") };
    let reason = CloseReason::Refused;
    assert_eq!(closed, &HubEvent::ConnectionClosed { connection: on, device: None, reason });
    refused.clone()
}

fn causes(login: &Login<'_>) -> Vec<RefusalCause> {
    let mut world = World::new();
    let connection = world.log_in(login);
    refused(&mut world, connection, 5).causes
}

#[test]
fn a_good_token_lets_a_device_in() {
    let mut world = World::new();
    let connection = world.log_in(&login("pump-1"));
    assert_eq!(world.sent(connection), [[0x20, 2, 0, 0]]);
    let accepted = HubEvent::ConnectionAccepted {
        connection,
        device: device("pump-1"),
        module: None,
        protocol: Protocol::Mqtt,
        peer: "10.42.0.2:49152".parse().unwrap(),
        authentication: UsedAuthentication::Sas { expiry: Timestamp::from_secs(T0 + 3_600) },
        tls: TlsVersion::Stated,
        session_present: false,
    };
    assert_eq!(world.facts(), [accepted]);
}

#[test]
fn an_expired_token_is_refused_with_its_expiry_and_the_client_told_nothing() {
    let expired = Login { token: Some(token("pump-1", 0)), ..login("pump-1") };
    assert_eq!(causes(&expired), [RefusalCause::SasExpired { expiry: Timestamp::from_secs(T0) }]);
}

#[test]
fn a_stolen_token_of_another_device_does_not_fit() {
    let stolen = Login { token: Some(token("pump-2", 3_600)), ..login("pump-1") };
    assert_eq!(causes(&stolen), [RefusalCause::SasScopeMismatch]);
}

#[test]
fn an_unknown_device_is_named_and_marked_unregistered() {
    let mut world = World::new();
    let connection = world.log_in(&login("ghost"));
    let refused = refused(&mut world, connection, 5);
    assert_eq!((refused.device, refused.registered), (Some(device("ghost")), false));
    assert_eq!(refused.causes, [RefusalCause::UnknownDevice]);
}

#[test]
fn no_token_is_a_missing_credential() {
    assert_eq!(causes(&Login { token: None, ..login("pump-1") }), [RefusalCause::CredentialMissing]);
}

#[test]
fn an_implausible_client_id_is_refused_without_a_device() {
    let mut world = World::new();
    let connection = world.log_in(&Login { client_id: "a b", ..login("pump-1") });
    let refused = refused(&mut world, connection, 5);
    assert_eq!(refused.device, None);
    assert!(matches!(refused.causes[..], [RefusalCause::UserNameMalformed { .. }]));
}

#[test]
fn another_protocol_level_is_told_so() {
    let mut world = World::new();
    let connection = world.open();
    world.packet(connection, &Packet::ConnectOtherLevel(5));
    assert_eq!(refused(&mut world, connection, 1).causes, [RefusalCause::ProtocolLevel { level: 5 }]);
}

fn leaf() -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = time::OffsetDateTime::from_unix_timestamp(T0 - 60).unwrap();
    params.not_after = time::OffsetDateTime::from_unix_timestamp(T0 + 60).unwrap();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_certificate_lets_its_device_in_and_refuses_with_both_causes_when_old_and_foreign() {
    let mut world = World::new();
    let leaf_der = leaf();
    let primary = Thumbprint::new(&hex::encode(Sha1::digest(&leaf_der))).unwrap();
    let authentication = DeviceAuthentication::SelfSigned { primary, secondary: None };
    let device = device("meter-1");
    world.serve(ServiceRequest::PutDevice { device, authentication, security_group: None });
    world.facts();

    let by_certificate = Login { token: None, ..login("meter-1") };
    let connection = world.open_with(vec![leaf_der]);
    world.log_in_on(connection, &by_certificate);
    assert_eq!(world.sent(connection), [[0x20, 2, 0, 0]]);
    let facts = world.facts();
    let [HubEvent::ConnectionAccepted { authentication: UsedAuthentication::X509 { .. }, .. }] = facts[..]
    else {
        panic!("{facts:?}")
    };

    world.advance(Duration::from_secs(120));
    world.facts();
    let connection = world.open_with(vec![leaf()]);
    world.log_in_on(connection, &by_certificate);
    let causes = refused(&mut world, connection, 5).causes;
    let [RefusalCause::X509ThumbprintMismatch { .. }, RefusalCause::X509Expired { .. }] = causes[..] else {
        panic!("{causes:?}")
    };
}

#[test]
fn the_newer_of_two_connections_stays() {
    let mut world = World::new();
    let older = world.online("pump-1");
    let newer = world.log_in(&login("pump-1"));
    let outputs = world.outputs();
    assert_eq!(outputs[0], Output::Close { connection: older });
    assert_eq!(world.endings(), [(older.0, CloseReason::TakenOver)]);
    world.publish(newer, "devices/pump-1/messages/events/", b"1");
    assert_eq!(world.sent(newer), [[0x40, 2, 0, 7]]);
}

#[test]
fn silence_of_one_and_a_half_intervals_ends_a_connection_and_a_ping_prevents_it() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.pass(Duration::from_secs(80));
    world.packet(connection, &Packet::PingReq);
    assert_eq!(world.sent(connection), [[0xD0, 0]]);
    world.pass(Duration::from_micros(89_999_999));
    assert_eq!(world.endings(), []);
    world.pass(Duration::from_micros(1));
    assert_eq!(world.endings(), [(connection.0, CloseReason::KeepAliveExpired)]);
    assert_eq!(world.outputs(), [Output::Close { connection }]);
    assert_eq!(world.hub.poll_timeout(world.now), None, "nothing is left to wait for");
}

#[test]
fn bytes_that_never_become_a_packet_do_not_prolong_a_connection() {
    let mut world = World::new();
    let connection = world.open();
    for byte in [0x10, 0x80, 0x80, 0x01] {
        world.pass(Duration::from_secs(7));
        world.receive(connection, &[byte]);
    }
    world.pass(Duration::from_secs(2));
    assert_eq!(world.endings(), [(connection.0, CloseReason::ConnectTimeout)]);
}

#[test]
fn a_session_outlives_its_token_by_the_grace_period_also_when_the_calendar_jumps() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.advance(Duration::from_secs(3_600 + 599));
    world.publish(connection, "devices/pump-1/messages/events/", b"1");
    assert_eq!(world.endings(), []);
    world.outputs();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.endings(), [(connection.0, CloseReason::TokenExpired)]);
    assert_eq!(world.outputs(), [Output::Close { connection }]);
}

#[test]
fn a_device_that_is_disabled_or_given_another_key_is_dropped() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    world.serve(ServiceRequest::SetDeviceEnabled { device: device("pump-1"), enabled: false });
    assert_eq!(world.endings(), [(connection.0, CloseReason::IdentityChanged)]);
}

#[test]
fn a_farewell_keeps_the_will_and_a_lost_connection_hands_it_out() {
    let topic = "devices/pump-1/messages/events/";
    let will = Will { topic, payload: b"gone", qos: QoS::AtLeastOnce, retain: false };
    let mut world = World::new();
    let connection = world.log_in(&Login { will: Some(will), ..login("pump-1") });
    world.packet(connection, &Packet::Disconnect);
    let telemetry = |event: &HubEvent| matches!(event, HubEvent::TelemetryReceived { .. });
    assert!(!world.facts().iter().any(telemetry));

    let connection = world.log_in(&Login { will: Some(will), ..login("pump-1") });
    world.hub.handle_input(crate::Input::Closed { connection }, world.now);
    assert_eq!(world.facts().iter().filter(|event| telemetry(event)).count(), 1);

    let foreign = Will { topic: "devices/pump-2/messages/events/", ..will };
    let connection = world.log_in(&Login { will: Some(foreign), ..login("pump-1") });
    world.hub.handle_input(crate::Input::Closed { connection }, world.now);
    let operation = Operation::Publish { topic: foreign.topic.into() };
    let refused = HubEvent::OperationRefused { device: device("pump-1"), operation };
    assert!(world.facts().contains(&refused));
}

#[test]
fn a_module_connects_with_its_own_key_and_scope() {
    let mut world = World::new();
    let module = hilarm_model::ModuleId::new("agent").unwrap();
    let key = super::world::key();
    let authentication = DeviceAuthentication::Sas { primary: key.clone(), secondary: key };
    world.serve(ServiceRequest::PutModule { device: device("pump-1"), module, authentication });
    let token = token("pump-1%2Fmodules%2Fagent", 3_600);
    let connection = world.log_in(&Login { token: Some(token), ..login("pump-1/agent") });
    assert_eq!(world.sent(connection), [[0x20, 2, 0, 0]]);
    world.publish(connection, "devices/pump-1/modules/agent/messages/events/", b"1");
    assert_eq!(world.sent(connection), [[0x40, 2, 0, 7]]);
}

#[test]
fn a_user_name_with_a_trailing_nul_is_let_in() {
    let mut world = World::new();
    let connection = world.open();
    let user_name = format!("{HOST}/pump-1/?api-version=2020-09-30\0");
    let token = token("pump-1", 3_600);
    world.packet(
        connection,
        &Packet::Connect(Connect {
            clean_session: true,
            keep_alive_s: 240,
            client_id: "pump-1",
            will: None,
            user_name: Some(&user_name),
            password: Some(token.as_bytes()),
        }),
    );
    assert_eq!(world.sent(connection), [[0x20, 2, 0, 0]]);
}

#[test]
fn an_address_kept_out_by_the_network_rules_is_refused_before_its_credentials_are_judged() {
    let mut world = World::new();
    let older = world.online("pump-2");
    let rules = NetworkRules { default_action: FilterAction::Deny, ..NetworkRules::default() };
    world.serve(ServiceRequest::SetNetworkRules(rules));
    world.facts();
    world.outputs();
    let connection = world.log_in(&Login { token: Some(token("pump-1", 0)), ..login("pump-1") });
    let refused = refused(&mut world, connection, 5);
    assert_eq!(refused.causes, [RefusalCause::IpFiltered]);
    assert_eq!((refused.device, refused.registered), (Some(device("pump-1")), true));
    world.publish(older, "devices/pump-2/messages/events/", b"1");
    assert_eq!(world.endings(), [], "a connection that was up stays");
}

#[test]
fn a_regenerated_key_ends_the_session_of_its_identity_and_the_new_one_lets_it_in() {
    let mut world = World::new();
    let connection = world.online("pump-1");
    let neighbour = world.online("pump-2");
    let request = |key| ServiceRequest::RegenerateKey { device: device("pump-1"), module: None, key };
    world.serve(request(KeyName::Primary));
    assert_eq!(world.endings(), [(connection.0, CloseReason::IdentityChanged)]);
    world.outputs();
    let connection = world.log_in(&login("pump-1"));
    assert_eq!(world.sent(connection), [[0x20, 2, 0, 0]], "the secondary key is still good");
    world.serve(request(KeyName::Secondary));
    world.outputs();
    world.facts();
    let connection = world.log_in(&login("pump-1"));
    assert_eq!(refused(&mut world, connection, 5).causes, [RefusalCause::SasInvalidSignature]);
    world.publish(neighbour, "devices/pump-2/messages/events/", b"1");
    assert_eq!(world.endings(), [], "another identity is not concerned");
}
