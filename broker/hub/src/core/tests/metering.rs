//! Throttles and the quota of the day: which operations they stop, with which code, and for how long.

use super::*;
use crate::config::Throttling;
use crate::core::throttle::Throttled;

fn throttled() -> Core {
    // One identity operation, one cloud-to-device send every 600 ms.
    let none = Throttling { units: 1, burst: Duration::ZERO, queue: Duration::ZERO };
    with(HubConfig { throttling: Some(none), ..HubConfig::default() })
}

fn with_quota(messages: u64) -> Core {
    with(HubConfig { daily_messages_max: Some(messages), ..HubConfig::default() })
}

fn with(config: HubConfig) -> Core {
    let mut core = Core::new(config, 7);
    core.service(put(1, None), at(0)).unwrap();
    facts(&mut core);
    core.connected(pump(), Protocol::Mqtt);
    core
}

fn payload(core: &mut Core, bytes: usize) -> Result<ServiceReply, u32> {
    let request = ServiceRequest::SendCloudToDevice {
        device: device(),
        message_id: "m".into(),
        payload: vec![0; bytes],
        properties: BTreeMap::new(),
        ttl: None,
    };
    core.service(request, at(0)).map_err(|why| why.code())
}

#[test]
fn an_operation_too_many_is_throttled_recorded_and_taken_once_the_rate_allows() {
    let mut core = throttled();
    let get = |core: &mut Core, seconds| {
        let request = ServiceRequest::GetDevice { device: device() };
        core.service(request, at(seconds)).map(drop).map_err(|why| why.code())
    };
    assert_eq!([get(&mut core, 0), get(&mut core, 0), get(&mut core, 1)], [Ok(()), Err(429_001), Ok(())]);
    assert_eq!(refusals(&mut core), [("get device".to_owned(), 429_001)]);
    assert!(send(&mut core, "m1", at(1)).is_ok(), "a message is another kind of operation");
}

#[test]
fn receiving_for_a_device_is_throttled_over_https_alone() {
    let mut core = throttled();
    let receive = |core: &mut Core, protocol| {
        let request = ServiceRequest::ReceiveCloudToDevice { device: device(), protocol };
        core.service(request, at(0)).map(drop).map_err(|why| why.code())
    };
    for protocol in [Protocol::Amqp, Protocol::Amqp, Protocol::Https] {
        assert_eq!(receive(&mut core, protocol), Ok(()), "{protocol:?}");
    }
    assert_eq!(receive(&mut core, Protocol::Https), Err(429_001));
}

#[test]
fn what_sets_the_hub_up_and_the_management_plane_are_not_throttled() {
    let mut core = throttled();
    for byte in 1..5 {
        core.service(put(byte, None), at(0)).unwrap();
        core.service(ServiceRequest::GetHubProperties, at(0)).unwrap();
    }
}

#[test]
fn a_caller_without_the_right_uses_no_throttle_up() {
    let mut core = throttled();
    let get = || ServiceRequest::GetDevice { device: device() };
    let nobody = crate::service::Caller::new("nobody", []);
    assert_eq!(core.service_as(&nobody, get(), at(0)).unwrap_err().code(), 401_002);
    assert!(core.service(get(), at(0)).is_ok());
}

#[test]
fn the_quota_of_the_day_stops_sends_and_receives_until_the_next_day() {
    let mut core = with_quota(2);
    assert_eq!(
        [payload(&mut core, 1), payload(&mut core, 1)],
        [Ok(ServiceReply::Done), Ok(ServiceReply::Done)]
    );
    assert_eq!(payload(&mut core, 1), Err(403_002));
    for kind in [Throttled::Telemetry, Throttled::CloudToDeviceReceive, Throttled::TwinRead] {
        assert_eq!(core.admit(kind, 1, at(0)).map_err(|why| why.code()), Err(403_002), "{kind:?}");
    }
    let get = || ServiceRequest::GetDevice { device: device() };
    assert!(core.service(get(), at(0)).is_ok(), "the registry is not metered");
    // Hub time begins at midnight.
    assert_eq!(send(&mut core, "late", at(86_399)).unwrap_err().code(), 403_002);
    assert!(send(&mut core, "next day", at(86_400)).is_ok());
}

#[test]
fn a_message_counts_once_for_each_four_kibibytes_and_only_if_it_was_taken() {
    let mut core = with_quota(17);
    assert_eq!(payload(&mut core, 65_537), Err(413_001), "it would have been all of them");
    assert_eq!(payload(&mut core, 13 * 4096), Ok(ServiceReply::Done), "thirteen");
    assert_eq!(payload(&mut core, 8193), Ok(ServiceReply::Done), "three");
    assert_eq!(payload(&mut core, 4096), Ok(ServiceReply::Done), "one");
    assert_eq!(payload(&mut core, 0), Err(403_002));
}

#[test]
fn methods_and_their_answers_twins_and_both_ends_of_an_upload_count() {
    let mut core = with_quota(7);
    core.listens_for_methods(&pump(), true);
    let Ok(ServiceReply::MethodInvoked(ticket)) = invoke(&mut core, at(0)) else { panic!() };
    core.answer_method(&pump(), ticket, 200, b"", at(0));
    core.service(ServiceRequest::GetTwin { device: device(), module: None }, at(0)).unwrap();
    core.service(ServiceRequest::PatchTags { device: device(), module: None, patch: json!({}) }, at(0))
        .unwrap();
    core.patch_reported(&pump(), b"{}", at(0)).unwrap();
    let grant = core.begin_upload(&device(), "dump", at(0)).unwrap();
    assert!(core.admit(Throttled::Telemetry, 1, at(0)).is_ok(), "six so far");
    core.complete_upload(&device(), &grant.correlation_id, true, at(0)).unwrap();
    assert_eq!(payload(&mut core, 1), Err(403_002));
}

#[test]
fn neither_is_enforced_unless_asked_for() {
    let mut core = core();
    for _ in 0..10_000 {
        assert!(core.admit(Throttled::Registry, 0, at(0)).is_ok());
        core.charge(1, at(0));
    }
    assert!(core.admit(Throttled::Telemetry, 0, at(0)).is_ok());
}

#[test]
fn what_the_quota_refuses_uses_no_throttle_up() {
    let throttling = Some(Throttling { units: 1, burst: Duration::ZERO, queue: Duration::ZERO });
    let mut core = with(HubConfig { throttling, daily_messages_max: Some(1), ..HubConfig::default() });
    assert!(send(&mut core, "m1", at(0)).is_ok());
    assert_eq!(send(&mut core, "m2", at(10)).unwrap_err().code(), 403_002);
    let next_day = Now { unix: at(86_400).unix, ..at(10) };
    assert!(send(&mut core, "m3", next_day).is_ok(), "only the calendar went on");
    assert_eq!(send(&mut core, "m4", Now { unix: at(172_800).unix, ..at(10) }).unwrap_err().code(), 429_001);
}

#[test]
fn what_would_cost_more_than_the_day_has_left_is_refused_whole() {
    let mut core = with_quota(3);
    assert_eq!(payload(&mut core, 3 * 4096 + 1), Err(403_002), "four");
    assert_eq!(payload(&mut core, 2 * 4096), Ok(ServiceReply::Done), "two");
    assert_eq!(payload(&mut core, 4097), Err(403_002), "two");
    assert_eq!(payload(&mut core, 4096), Ok(ServiceReply::Done), "one");
}

#[test]
fn a_twin_larger_than_what_the_day_has_left_is_not_read() {
    let mut core = with_quota(4);
    let text = "x".repeat(4096);
    let patch = ServiceRequest::PatchTags { device: device(), module: None, patch: json!({ "a": text }) };
    core.service(patch, at(0)).unwrap();
    let read = |core: &mut Core, seconds| {
        let request = ServiceRequest::GetTwin { device: device(), module: None };
        core.service(request, at(seconds)).map(drop).map_err(|why| why.code())
    };
    assert_eq!(read(&mut core, 0), Ok(()), "two and two");
    assert_eq!(payload(&mut core, 0), Err(403_002));
    assert_eq!(read(&mut core, 86_400), Ok(()));
    core.charge(0, at(86_400));
    assert_eq!(read(&mut core, 86_400), Err(403_002), "two, and one is left");
    assert!(send(&mut core, "m", at(86_400)).is_ok());
}

#[test]
fn a_method_counts_even_where_its_device_is_offline() {
    let mut core = with_quota(2);
    assert_eq!(invoke(&mut core, at(0)).unwrap_err().code(), 404_103);
    assert!(core.admit(Throttled::Telemetry, 1, at(0)).is_ok(), "one is left");
    assert_eq!(invoke(&mut core, at(0)).unwrap_err().code(), 404_103);
    assert_eq!(invoke(&mut core, at(0)).unwrap_err().code(), 403_002);
}
