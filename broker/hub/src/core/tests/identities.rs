//! Devices and modules: status, keys, deletion, and their twins.

use super::*;
use crate::service::KeyName;

fn module() -> ModuleId {
    ModuleId::new("agent").unwrap()
}

fn agent() -> ClientIdentity {
    ClientIdentity { device: device(), module: Some(module()) }
}

fn put_module(core: &mut Core, byte: u8) -> Result<ServiceReply, HubError> {
    let key = SymmetricKey::from_bytes([byte; 32]).unwrap();
    let authentication = DeviceAuthentication::Sas { primary: key.clone(), secondary: key };
    core.service(ServiceRequest::PutModule { device: device(), module: module(), authentication }, at(0))
}

fn delete(if_match: Option<&str>) -> ServiceRequest {
    ServiceRequest::DeleteDevice { device: device(), if_match: if_match.map(str::to_owned) }
}

fn delete_module(if_match: Option<&str>) -> ServiceRequest {
    let if_match = if_match.map(str::to_owned);
    ServiceRequest::DeleteModule { device: device(), module: module(), if_match }
}

fn set_enabled(core: &mut Core, enabled: bool) {
    core.service(ServiceRequest::SetDeviceEnabled { device: device(), enabled }, at(1)).unwrap();
}

#[test]
fn only_a_change_of_status_is_a_fact() {
    let mut core = core();
    for enabled in [true, false, false, true] {
        set_enabled(&mut core, enabled);
    }
    let changed = |enabled| HubEvent::DeviceStatusChanged { device: device(), enabled };
    assert_eq!(facts(&mut core), [changed(false), changed(true)]);
}

#[test]
fn a_deleted_device_is_a_fact_and_leaves_nothing_behind() {
    let mut core = core();
    send(&mut core, "m1", at(0)).unwrap();
    facts(&mut core);
    core.service(delete(Some("*")), at(1)).unwrap();
    assert_eq!(facts(&mut core), [HubEvent::DeviceRemoved { device: device() }]);
    core.service(put(1, None), at(2)).unwrap();
    assert!(core.deliver_next(&pump(), Protocol::Mqtt, at(2)).is_none());
    core.handle_timeout(at(4000));
    assert!(facts(&mut core).iter().all(|fact| matches!(fact, HubEvent::DeviceRegistered { .. })));
}

#[test]
fn a_regenerated_key_replaces_one_and_ends_the_session() {
    let mut core = connected();
    let request = ServiceRequest::RegenerateKey { device: device(), module: None, key: KeyName::Secondary };
    let Ok(ServiceReply::KeyRegenerated(key)) = core.service(request, at(1)) else { panic!() };
    let facts = facts(&mut core);
    let [HubEvent::DeviceRegistered { authentication, .. }] = &facts[..] else { panic!("{facts:?}") };
    let text = serde_json::to_string(authentication).unwrap();
    let kept = SymmetricKey::from_bytes([1; 32]).unwrap();
    assert!(text.contains(&key.sha256_hex()) && text.contains(&kept.sha256_hex()), "{text}");
    assert_eq!(notices(&mut core), [Notice::IdentityChanged { device: device() }]);
}

#[test]
fn sessions_survive_a_regenerated_key_where_the_hub_says_so() {
    let config = HubConfig { key_rotation_ends_sessions: false, ..HubConfig::default() };
    let mut core = Core::new(config, 7);
    core.service(put(1, None), at(0)).unwrap();
    let request = ServiceRequest::RegenerateKey { device: device(), module: None, key: KeyName::Primary };
    assert!(matches!(core.service(request, at(1)), Ok(ServiceReply::KeyRegenerated(_))));
    assert_eq!(notices(&mut core), []);
}

#[test]
fn a_device_without_symmetric_keys_has_none_to_regenerate() {
    let mut core = Core::new(HubConfig::default(), 7);
    let authentication = DeviceAuthentication::CertificateAuthority;
    let put = ServiceRequest::PutDevice { device: device(), authentication, security_group: None };
    core.service(put, at(0)).unwrap();
    let request = ServiceRequest::RegenerateKey { device: device(), module: None, key: KeyName::Primary };
    assert_eq!(core.service(request, at(1)).unwrap_err().code(), 400_004);
}

#[test]
fn what_is_to_be_created_must_not_exist() {
    let mut core = core();
    let sas = |byte| {
        let key = SymmetricKey::from_bytes([byte; 32]).unwrap();
        DeviceAuthentication::Sas { primary: key.clone(), secondary: key }
    };
    let create = |byte| ServiceRequest::CreateDevice {
        device: device(),
        authentication: Some(sas(byte)),
        security_group: None,
    };
    let create_module =
        || ServiceRequest::CreateModule { device: device(), module: module(), authentication: sas(1) };
    assert_eq!(core.service(create(2), at(0)).unwrap_err().code(), 409_001);
    assert_eq!(core.registry.device(&device()).unwrap().authentication, sas(1), "nothing has changed");
    core.service(create_module(), at(0)).unwrap();
    assert_eq!(core.service(create_module(), at(0)).unwrap_err().code(), 409_301);
    let expected = [("put device".to_owned(), 409_001), ("put module".to_owned(), 409_301)];
    assert_eq!(refusals(&mut core), expected);
    core.service(delete(Some("*")), at(0)).unwrap();
    assert_eq!(core.service(create_module(), at(0)).unwrap_err().code(), 401_002);
    core.service(create(2), at(0)).unwrap();
}

#[test]
fn what_is_to_be_updated_must_exist_and_have_the_etag_and_gets_another_one() {
    let mut core = core();
    let etag = |core: &mut Core| match core.service(ServiceRequest::GetDevice { device: device() }, at(0)) {
        Ok(ServiceReply::Device(view)) => view.etag,
        other => panic!("{other:?}"),
    };
    let update = |core: &mut Core, if_match: &str| {
        let (device, if_match) = (device(), if_match.to_owned());
        core.service(ServiceRequest::UpdateDevice { device, authentication: None, if_match }, at(0))
            .map_err(|why| why.code())
    };
    let first = etag(&mut core);
    assert_eq!(update(&mut core, &format!("\"{first}\"")), Ok(ServiceReply::Done));
    let kept = SymmetricKey::from_bytes([1; 32]).unwrap();
    let text =
        serde_json::to_string(&core.registry.device(&device()).unwrap().authentication.facts()).unwrap();
    assert!(!text.contains(&kept.sha256_hex()), "who states no keys gets new ones");
    assert_eq!(notices(&mut core), [Notice::IdentityChanged { device: device() }]);
    assert_eq!(update(&mut core, &first), Err(412_001));
    assert_eq!(update(&mut core, "*"), Ok(ServiceReply::Done));
    set_enabled(&mut core, false);
    assert_eq!(etag(&mut core), "NA==", "the fourth version");
    core.service(delete(Some("*")), at(0)).unwrap();
    assert_eq!(update(&mut core, "*"), Err(404_001));
}

#[test]
fn modules_of_a_missing_or_disabled_device_are_unauthorized() {
    let mut core = core();
    set_enabled(&mut core, false);
    facts(&mut core);
    assert_eq!(put_module(&mut core, 1).unwrap_err().code(), 401_002);
    let facts = facts(&mut core);
    let [HubEvent::ServiceOperationRefused { device: Some(_), code: 401_002, .. }] = facts[..] else {
        panic!("{facts:?}")
    };
    set_enabled(&mut core, true);
    assert_eq!(put_module(&mut core, 1), Ok(ServiceReply::Done));
    core.service(delete(Some("*")), at(1)).unwrap();
    assert_eq!(put_module(&mut core, 1).unwrap_err().code(), 401_002);
}

#[test]
fn other_credentials_or_deletion_of_a_module_end_its_session_alone() {
    let mut core = core();
    put_module(&mut core, 1).unwrap();
    put_module(&mut core, 1).unwrap();
    assert_eq!(notices(&mut core), []);
    put_module(&mut core, 2).unwrap();
    core.service(delete_module(Some("*")), at(1)).unwrap();
    let (changed, deleted) =
        (Notice::ModuleChanged { identity: agent() }, Notice::ModuleDeleted { identity: agent() });
    assert_eq!(notices(&mut core), [changed, deleted]);
    let again = delete_module(Some("*"));
    assert_eq!(core.service(again, at(1)).unwrap_err().code(), 404_010);
}

#[test]
fn the_twins_of_device_and_module_are_apart_and_their_facts_say_whose() {
    let mut core = core();
    put_module(&mut core, 1).unwrap();
    let patch = |module| ServiceRequest::PatchDesired { device: device(), module, patch: json!({"rate": 5}) };
    core.service(patch(None), at(0)).unwrap();
    core.service(patch(Some(module())), at(0)).unwrap();
    core.service(patch(Some(module())), at(0)).unwrap();
    core.patch_reported(&agent(), b"{\"rate\":5}", at(0)).unwrap();
    let tags =
        ServiceRequest::ReplaceTags { device: device(), module: Some(module()), tags: json!({"a": 1}) };
    core.service(tags, at(0)).unwrap();
    let update = |module: Option<ModuleId>, section, version| HubEvent::TwinUpdated {
        device: device(),
        module,
        section,
        version,
    };
    let expected = [
        update(None, TwinSection::Desired, 2),
        update(Some(module()), TwinSection::Desired, 2),
        update(Some(module()), TwinSection::Desired, 3),
        update(Some(module()), TwinSection::Reported, 2),
        update(Some(module()), TwinSection::Tags, 2),
    ];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn a_replacement_of_desired_properties_reaches_the_device_as_the_difference() {
    let mut core = connected();
    let replace = |properties| ServiceRequest::ReplaceDesired { device: device(), module: None, properties };
    core.service(replace(json!({"a": 1, "b": 2})), at(0)).unwrap();
    notices(&mut core);
    core.service(replace(json!({"b": 3})), at(0)).unwrap();
    let body = json!({"a": null, "b": 3, "$version": 3});
    assert_eq!(notices(&mut core), [Notice::DesiredChanged { identity: pump(), body, version: 3 }]);
    assert_eq!(core.read_twin(&pump(), at(1))["desired"], json!({"b": 3, "$version": 3}));
    assert_eq!(core.service(replace(json!([])), at(0)).unwrap_err().code(), 400_004);
}

#[test]
fn sections_that_would_grow_too_large_are_refused() {
    let mut core = core();
    let text = |kilobytes: usize| {
        let item = |index: usize| (index.to_string(), Value::from("x".repeat(1024)));
        Value::Object((0..kilobytes).map(item).collect())
    };
    let tags = |tags| ServiceRequest::ReplaceTags { device: device(), module: None, tags };
    let desired = |properties| ServiceRequest::ReplaceDesired { device: device(), module: None, properties };
    assert!(core.service(tags(text(7)), at(0)).is_ok());
    assert_eq!(core.service(tags(text(8)), at(0)).unwrap_err().code(), 400_004);
    assert!(core.service(desired(text(31)), at(0)).is_ok());
    assert_eq!(core.service(desired(text(32)), at(0)).unwrap_err().code(), 400_004);
}

#[test]
fn the_key_of_a_module_needs_a_device_that_exists_and_is_enabled() {
    let mut core = core();
    put_module(&mut core, 1).unwrap();
    let regenerate = |core: &mut Core| {
        let (device, module) = (device(), Some(module()));
        let request = ServiceRequest::RegenerateKey { device, module, key: KeyName::Primary };
        core.service(request, at(1)).map(drop).map_err(|why| why.code())
    };
    set_enabled(&mut core, false);
    assert_eq!(regenerate(&mut core), Err(401_002), "disabled");
    set_enabled(&mut core, true);
    assert_eq!(regenerate(&mut core), Ok(()));
    core.service(delete(Some("*")), at(1)).unwrap();
    assert_eq!(regenerate(&mut core), Err(401_002), "missing");
}

#[test]
fn a_refused_creation_leaves_no_twin_behind() {
    let mut core = Core::new(HubConfig::default(), 7);
    let too_long = "x".repeat(4097);
    assert_eq!(core.service(put(1, Some(&too_long)), at(0)).unwrap_err().code(), 400_004);
    assert!(core.twins.is_empty() && core.registry.device(&device()).is_none());
    core.service(put(1, Some("plant")), at(0)).unwrap();
    assert_eq!(core.service(put(2, Some(&too_long)), at(0)).unwrap_err().code(), 400_004);
    assert_eq!(core.twins[&pump()].security_group(), "plant", "what there was stays");
}

#[test]
fn an_etag_of_a_deleted_device_does_not_come_back_with_its_name() {
    let mut core = core();
    let etag = |core: &Core| core.registry.device(&device()).unwrap().etag();
    let first = etag(&core);
    set_enabled(&mut core, false);
    let second = etag(&core);
    core.service(delete(Some("*")), at(1)).unwrap();
    core.service(put(1, None), at(1)).unwrap();
    set_enabled(&mut core, false);
    assert!(![first, second.clone()].contains(&etag(&core)), "{}", etag(&core));
    let update = ServiceRequest::UpdateDevice { device: device(), authentication: None, if_match: second };
    assert_eq!(core.service(update, at(1)).unwrap_err().code(), 412_001, "it was another device's");
}

#[test]
fn an_identity_is_deleted_by_whoever_states_its_etag_alone() {
    let mut core = core();
    put_module(&mut core, 1).unwrap();
    facts(&mut core);
    let etag = core.registry.device(&device()).unwrap().etag();
    for request in
        [delete(None), delete(Some("c3RhbGU=")), delete_module(None), delete_module(Some("c3RhbGU="))]
    {
        assert_eq!(core.service(request, at(1)).unwrap_err().code(), 412_001);
    }
    let (device_kept, module_kept) =
        (("delete device".to_owned(), 412_001), ("delete module".to_owned(), 412_001));
    assert_eq!(refusals(&mut core), [device_kept.clone(), device_kept, module_kept.clone(), module_kept]);
    assert_eq!(core.service(delete_module(Some("*")), at(1)), Ok(ServiceReply::Done));
    assert_eq!(core.service(delete(Some(&format!("\"{etag}\""))), at(1)), Ok(ServiceReply::Done));
    assert_eq!(core.service(delete(None), at(1)).unwrap_err().code(), 404_001, "there is none to match");
}
