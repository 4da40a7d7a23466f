//! The core without any protocol: what devices and services may ask of it, as facts and replies.

mod identities;
mod management;
mod messages;
mod metering;
mod refusals;
mod rights;
mod security;
mod twins;
mod uploads;

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{
    CloseReason, DeviceId, HubEvent, MethodOutcome, ModuleId, Monotonic, Now, Protocol, Timestamp,
    TwinSection,
};
use serde_json::{Value, json};

use super::message::{DeviceMessage, SECURITY_AGENT};
use super::registry::{ClientIdentity, DeviceAuthentication, SymmetricKey};
use super::{Core, Notice, Redelivery};
use crate::config::HubConfig;
use crate::service::{HubError, MethodResult, ServiceReply, ServiceRequest};

fn at(seconds: u64) -> Now {
    let unix = Timestamp::from_secs(1_767_225_600 + seconds as i64);
    Now { mono: Monotonic::from_micros(seconds * 1_000_000), unix }
}

fn device() -> DeviceId {
    DeviceId::new("pump-1").unwrap()
}

fn pump() -> ClientIdentity {
    ClientIdentity { device: device(), module: None }
}

fn put(byte: u8, group: Option<&str>) -> ServiceRequest {
    let key = SymmetricKey::from_bytes([byte; 32]).unwrap();
    let authentication = DeviceAuthentication::Sas { primary: key.clone(), secondary: key };
    let security_group = group.map(str::to_owned);
    ServiceRequest::PutDevice { device: device(), authentication, security_group }
}

/// A core with one device; the facts of its registration are taken already.
fn core() -> Core {
    let mut core = Core::new(HubConfig::default(), 7);
    core.service(put(1, None), at(0)).unwrap();
    facts(&mut core);
    core
}

fn connected() -> Core {
    let mut core = core();
    core.connected(pump(), Protocol::Mqtt);
    core
}

fn facts(core: &mut Core) -> Vec<HubEvent> {
    std::iter::from_fn(|| core.poll_record()).map(|record| record.event).collect()
}

/// Operation and code of each refused call. Panics at a fact of any other kind.
fn refusals(core: &mut Core) -> Vec<(String, u32)> {
    let refusal = |fact| match fact {
        HubEvent::ServiceOperationRefused { operation, code, .. } => (operation, code),
        other => panic!("{other:?}"),
    };
    facts(core).into_iter().map(refusal).collect()
}

fn notices(core: &mut Core) -> Vec<Notice> {
    std::iter::from_fn(|| core.poll_notice()).collect()
}

fn send(core: &mut Core, message_id: &str, now: Now) -> Result<ServiceReply, HubError> {
    let request = ServiceRequest::SendCloudToDevice {
        device: device(),
        message_id: message_id.into(),
        payload: b"stop".to_vec(),
        properties: BTreeMap::new(),
        ttl: None,
    };
    core.service(request, now)
}

fn invoke(core: &mut Core, now: Now) -> Result<ServiceReply, HubError> {
    let (name, payload, timeout) = ("stop".into(), json!({"now": true}), Duration::from_secs(30));
    core.service(ServiceRequest::InvokeMethod { device: device(), module: None, name, payload, timeout }, now)
}

fn invoked(outcome: MethodOutcome) -> HubEvent {
    HubEvent::DirectMethodInvoked { device: device(), method: "stop".into(), outcome }
}

fn group_of(event: &HubEvent) -> &str {
    let HubEvent::DeviceRegistered { security_group, .. } = event else { panic!("{event:?}") };
    security_group
}

#[test]
fn a_registration_is_a_fact_with_the_group_of_the_tags() {
    let mut core = Core::new(HubConfig::default(), 7);
    core.service(put(1, None), at(0)).unwrap();
    core.service(put(1, Some("plant")), at(1)).unwrap();
    let facts = facts(&mut core);
    assert_eq!(facts.iter().map(group_of).collect::<Vec<_>>(), ["default", "plant"]);
}

#[test]
fn a_tag_that_moves_the_device_to_another_group_registers_it_anew() {
    let mut core = core();
    let patch = |patch: Value| ServiceRequest::PatchTags { device: device(), module: None, patch };
    core.service(patch(json!({"floor": 1})), at(1)).unwrap();
    assert_eq!(facts(&mut core).len(), 1, "no new group");
    core.service(patch(json!({"SecurityGroup": "plant"})), at(2)).unwrap();
    let facts = facts(&mut core);
    assert_eq!((facts.len(), group_of(&facts[1])), (2, "plant"));
}

#[test]
fn other_credentials_disabling_and_deleting_end_connections_and_the_same_credentials_do_not() {
    let mut core = core();
    core.service(put(1, None), at(1)).unwrap();
    assert_eq!(notices(&mut core), []);
    core.service(put(2, None), at(1)).unwrap();
    core.service(ServiceRequest::SetDeviceEnabled { device: device(), enabled: false }, at(1)).unwrap();
    core.service(ServiceRequest::DeleteDevice { device: device(), if_match: Some("*".into()) }, at(1))
        .unwrap();
    let changed = Notice::IdentityChanged { device: device() };
    assert_eq!(notices(&mut core), [changed.clone(), changed, Notice::IdentityDeleted { device: device() }]);
}

#[test]
fn a_message_is_telemetry_and_its_retransmission_is_marked() {
    let mut core = connected();
    let message = |duplicate| DeviceMessage {
        interface_id: None,
        application: Vec::new(),
        payload: b"21.5",
        duplicate,
    };
    core.receive(&pump(), Protocol::Mqtt, &message(false), at(1));
    core.receive(&pump(), Protocol::Amqp, &message(true), at(1));
    let fact = |protocol, duplicate| HubEvent::TelemetryReceived {
        device: device(),
        module: None,
        protocol,
        payload_bytes: 4,
        duplicate,
    };
    assert_eq!(facts(&mut core), [fact(Protocol::Mqtt, false), fact(Protocol::Amqp, true)]);
}

#[test]
fn a_security_message_that_does_not_decode_is_dropped_with_its_reason() {
    let mut core = connected();
    let application = vec![("mti".into(), Some("2.3-1-0-0".into()))];
    let interface_id = Some(SECURITY_AGENT.into());
    let message = DeviceMessage { interface_id, application, payload: b"noise", duplicate: false };
    core.receive(&pump(), Protocol::Mqtt, &message, at(1));
    let facts = facts(&mut core);
    let [HubEvent::SecurityMessageRejected { payload_bytes: 5, reason, .. }] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert!(reason.starts_with("FlatBuffers:"), "{reason}");
}

#[test]
fn a_message_is_enqueued_delivered_and_completed() {
    let mut core = connected();
    send(&mut core, "m1", at(1)).unwrap();
    assert_eq!(notices(&mut core), [Notice::CloudToDeviceWaiting { device: device() }]);
    let (token, message) = core.deliver_next(&pump(), Protocol::Mqtt, at(2)).unwrap();
    assert_eq!(message.payload, b"stop");
    assert!(core.deliver_next(&pump(), Protocol::Mqtt, at(2)).is_none());
    core.complete(&pump(), token, at(3));
    core.complete(&pump(), token, at(3));
    let (device, message_id) = (device(), String::from("m1"));
    assert_eq!(
        facts(&mut core),
        [
            HubEvent::CloudToDeviceEnqueued {
                device: device.clone(),
                message_id: message_id.clone(),
                protocol: Some(Protocol::Mqtt),
            },
            HubEvent::CloudToDeviceDelivered {
                device: device.clone(),
                message_id: message_id.clone(),
                protocol: Protocol::Mqtt,
            },
            HubEvent::CloudToDeviceCompleted { device, message_id },
        ]
    );
}

#[test]
fn a_lock_frees_its_message_after_sixty_seconds() {
    let mut core = connected();
    send(&mut core, "m1", at(0)).unwrap();
    let (token, _) = core.deliver_next(&pump(), Protocol::Mqtt, at(1)).unwrap();
    notices(&mut core);
    assert_eq!(core.poll_timeout(at(1)), Some(at(61).mono));
    core.handle_timeout(at(60));
    assert_eq!(core.deliver_again(&pump(), token, Protocol::Mqtt, at(60)), Redelivery::Held);
    core.handle_timeout(at(61));
    assert_eq!(notices(&mut core), [Notice::CloudToDeviceWaiting { device: device() }]);
    let again = core.deliver_again(&pump(), token, Protocol::Mqtt, at(61));
    assert!(matches!(again, Redelivery::Send(message) if message.message_id == "m1"));
}

#[test]
fn a_message_expires_by_the_calendar() {
    let mut core = connected();
    send(&mut core, "m1", at(0)).unwrap();
    core.handle_timeout(at(3600));
    assert!(core.deliver_next(&pump(), Protocol::Mqtt, at(3600)).is_none());
}

#[test]
fn the_fifty_first_message_is_refused_and_a_purge_makes_room() {
    let mut core = core();
    (0..50).for_each(|_| assert!(send(&mut core, "m", at(0)).is_ok()));
    assert_eq!(send(&mut core, "m", at(0)).unwrap_err().code(), 403_004);
    let purge = ServiceRequest::PurgeCloudToDevice { device: device() };
    assert_eq!(core.service(purge, at(0)), Ok(ServiceReply::Purged { messages: 50 }));
    assert!(send(&mut core, "m", at(0)).is_ok());
}

#[test]
fn a_lifetime_out_of_bounds_and_a_payload_too_large_are_refused() {
    let mut core = core();
    let mut request = |bytes: usize, ttl_s: u64| {
        let request = ServiceRequest::SendCloudToDevice {
            device: device(),
            message_id: "m".into(),
            payload: vec![0; bytes],
            properties: BTreeMap::new(),
            ttl: Some(Duration::from_secs(ttl_s)),
        };
        core.service(request, at(0)).map_err(|why| why.code())
    };
    assert_eq!(request(1, 59), Err(400_004));
    assert_eq!(request(1, 172_801), Err(400_004));
    assert_eq!(request(65_537, 60), Err(413_001));
    assert_eq!(request(65_536, 60), Ok(ServiceReply::Done));
}

#[test]
fn a_method_of_an_absent_device_is_offline_at_once_and_recorded() {
    let mut core = core();
    assert_eq!(invoke(&mut core, at(0)).unwrap_err().code(), 404_103);
    core.connected(pump(), Protocol::Mqtt);
    assert_eq!(invoke(&mut core, at(0)).unwrap_err().code(), 404_103, "connected, and not listening");
    assert_eq!(facts(&mut core), vec![invoked(MethodOutcome::DeviceOffline); 2]);
}

#[test]
fn a_method_is_answered_or_times_out_and_recorded_then() {
    let mut core = connected();
    core.listens_for_methods(&pump(), true);
    let start = |core: &mut Core| match invoke(core, at(0)) {
        Ok(ServiceReply::MethodInvoked(ticket)) => ticket,
        other => panic!("{other:?}"),
    };
    let (answered, late) = (start(&mut core), start(&mut core));
    assert_eq!(facts(&mut core), []);
    core.answer_method(&pump(), answered, 200, b"{\"ok\":1}", at(1));
    core.handle_timeout(at(30));
    core.answer_method(&pump(), late, 200, b"", at(31));
    let answer = MethodOutcome::Answered { status: 200 };
    assert_eq!(facts(&mut core), [invoked(answer), invoked(MethodOutcome::TimedOut)]);
    let result = MethodResult::Answered { status: 200, payload: json!({"ok": 1}) };
    assert_eq!(core.poll_result(), Some((answered, result)));
    assert_eq!(core.poll_result(), Some((late, MethodResult::TimedOut)));
    assert_eq!(core.poll_timeout(at(31)), None, "nothing is left to wait for");
}

#[test]
fn a_method_whose_device_goes_away_is_refused_at_once_with_the_code_of_the_end() {
    for (reason, code) in [
        (CloseReason::TakenOver, 400_027),
        (CloseReason::TransportClosed, 404_104),
        (CloseReason::KeepAliveExpired, 404_104),
        (CloseReason::Disconnected, 404_104),
    ] {
        let mut core = connected();
        core.listens_for_methods(&pump(), true);
        let Ok(ServiceReply::MethodInvoked(ticket)) = invoke(&mut core, at(0)) else { panic!() };
        core.disconnected(&pump(), Protocol::Mqtt, reason, at(1));
        assert_eq!(facts(&mut core), [invoked(MethodOutcome::ConnectionClosed { code })]);
        let (answered, result) = core.poll_result().unwrap();
        assert_eq!((answered, result.refusal()), (ticket, Some(code)));
        assert_eq!(core.poll_timeout(at(1)), None, "nobody waits for it");
    }
}

#[test]
fn twin_changes_are_facts_with_their_version_and_reach_only_the_connected() {
    let mut core = core();
    let patch = || ServiceRequest::PatchDesired { device: device(), module: None, patch: json!({"rate": 5}) };
    core.service(patch(), at(0)).unwrap();
    assert_eq!(notices(&mut core), []);
    core.connected(pump(), Protocol::Mqtt);
    core.service(patch(), at(1)).unwrap();
    let body = json!({"rate": 5, "$version": 3});
    assert_eq!(notices(&mut core), [Notice::DesiredChanged { identity: pump(), body, version: 3 }]);
    assert_eq!(core.patch_reported(&pump(), b"{\"rate\":5}", at(2)), Ok(2));
    assert!(core.patch_reported(&pump(), b"{", at(2)).is_err());
    let update =
        |section, version| HubEvent::TwinUpdated { device: device(), module: None, section, version };
    let expected =
        [update(TwinSection::Desired, 2), update(TwinSection::Desired, 3), update(TwinSection::Reported, 2)];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn requests_for_unknown_devices_and_modules_say_which() {
    let mut core = core();
    let mut twin = |device: &str, module: Option<&str>| {
        let device = DeviceId::new(device).unwrap();
        let module = module.map(|module| ModuleId::new(module).unwrap());
        core.service(ServiceRequest::GetTwin { device, module }, at(0)).map_err(|why| why.code())
    };
    assert_eq!(twin("pump-2", None), Err(404_001));
    assert_eq!(twin("pump-2", Some("agent")), Err(404_001));
    assert_eq!(twin("pump-1", Some("agent")), Err(404_010));
    assert!(matches!(twin("pump-1", None), Ok(ServiceReply::Twin(twin)) if twin["deviceId"] == "pump-1"));
}

#[test]
fn a_certificate_authority_must_be_a_certificate() {
    let mut core = core();
    let put = ServiceRequest::PutCertificateAuthority { name: "plant".into(), der: b"noise".to_vec() };
    assert_eq!(core.service(put, at(0)).unwrap_err().code(), 400_004);
    let delete = ServiceRequest::DeleteCertificateAuthority { name: "plant".into() };
    assert_eq!(core.service(delete, at(0)).unwrap_err().code(), 404_008);
}
