//! Calls whose caller has every right and asks for what cannot be: each is answered with IoT Hub's code, changes
//! nothing, and is a fact.

use super::*;

fn absent() -> DeviceId {
    DeviceId::new("pump-9").unwrap()
}

fn deep() -> Value {
    (0..11).fold(json!(1), |inner, _| json!({ "k": inner }))
}

/// The code that one call is refused with, which is its only fact, about this device.
fn refused(core: &mut Core, request: ServiceRequest, about: Option<&DeviceId>) -> u32 {
    let code = core.service(request, at(1)).unwrap_err().code();
    let facts = facts(core);
    let [HubEvent::ServiceOperationRefused { device, code: recorded, .. }] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!((device.as_ref(), *recorded), (about, code));
    code
}

#[test]
fn what_names_nobody_is_not_found() {
    let (mut core, device) = (core(), absent());
    for request in [
        ServiceRequest::DeleteDevice { device: device.clone(), if_match: Some("*".into()) },
        ServiceRequest::SetDeviceEnabled { device: device.clone(), enabled: false },
        ServiceRequest::PurgeCloudToDevice { device: device.clone() },
        ServiceRequest::PatchTags { device: device.clone(), module: None, patch: json!({}) },
    ] {
        assert_eq!(refused(&mut core, request, Some(&device)), 404_001);
    }
}

#[test]
fn twins_too_deep_are_refused_by_every_way_to_write_them() {
    let mut core = core();
    let (device, module) = (device(), None);
    for request in [
        ServiceRequest::PatchDesired { device: device.clone(), module: None, patch: deep() },
        ServiceRequest::ReplaceDesired { device: device.clone(), module: None, properties: deep() },
        ServiceRequest::PatchTags { device: device.clone(), module: None, patch: deep() },
        ServiceRequest::ReplaceTags { device: device.clone(), module, tags: deep() },
    ] {
        assert_eq!(refused(&mut core, request, Some(&device)), 400_004);
    }
}

#[test]
fn a_full_queue_a_message_too_large_and_a_method_that_is_no_topic_are_refused() {
    let mut core = core();
    let message = |bytes: usize| ServiceRequest::SendCloudToDevice {
        device: device(),
        message_id: "m".into(),
        payload: vec![0; bytes],
        properties: BTreeMap::new(),
        ttl: None,
    };
    assert_eq!(refused(&mut core, message(65_537), Some(&device())), 413_001);
    (0..50).for_each(|_| drop(core.service(message(1), at(0)).unwrap()));
    facts(&mut core);
    assert_eq!(refused(&mut core, message(1), Some(&device())), 403_004);
    let (name, payload, timeout) = ("a/b".into(), json!(null), Duration::from_secs(30));
    let method = ServiceRequest::InvokeMethod { device: device(), module: None, name, payload, timeout };
    assert_eq!(refused(&mut core, method, Some(&device())), 400_004);
}

#[test]
fn hub_properties_with_a_rule_that_is_none_are_refused_and_the_rules_stay() {
    let mut core = core();
    let filter = |mask: &str| json!([{ "filterName": "x", "action": "Allow", "ipMask": mask }]);
    for properties in [
        json!({ "networkRuleSets": { "ipRules": filter("10.0.0.0/33") } }),
        json!({ "networkRuleSets": { "defaultAction": "Perhaps" } }),
        json!({ "ipFilterRules": filter("somewhere") }),
        json!({ "cloudToDevice": { "maxDeliveryCount": 0 } }),
    ] {
        let json = json!({ "properties": properties });
        assert_eq!(refused(&mut core, ServiceRequest::PutHubPropertiesJson { json }, None), 400_004);
    }
    assert!(core.admits("203.0.113.1".parse().unwrap()), "nobody is kept out");
}

#[test]
fn a_security_solution_that_is_none_is_refused() {
    let mut core = core();
    let json = json!({ "properties": { "displayName": "plant" } });
    let put = ServiceRequest::PutSecuritySolutionJson { name: "plant".into(), json };
    assert_eq!(refused(&mut core, put, None), 400_004);
}

#[test]
fn reported_properties_too_deep_or_no_object_are_refused_at_the_core() {
    let mut core = connected();
    for patch in [deep().to_string(), "[]".into(), "{".into()] {
        assert!(core.patch_reported(&pump(), patch.as_bytes(), at(1)).is_err(), "{patch}");
    }
    assert_eq!(facts(&mut core), [], "the adapter knows what was asked, and records it");
}
