//! Twins as Azure's JSON, guarded by ETags, and what is refused about them.

use super::*;

fn write(core: &mut Core, json: Value, replace: bool, if_match: Option<&str>) -> Result<Value, HubError> {
    let if_match = if_match.map(str::to_owned);
    let request = ServiceRequest::WriteTwinJson { device: device(), module: None, json, replace, if_match };
    match core.service(request, at(1))? {
        ServiceReply::Twin(twin) => Ok(twin),
        other => panic!("{other:?}"),
    }
}

fn etag(twin: &Value) -> String {
    twin["etag"].as_str().unwrap().to_owned()
}

#[test]
fn a_twin_is_patched_and_replaced_under_its_etag() {
    let mut core = core();
    facts(&mut core);
    let body = json!({ "tags": { "site": "plant" }, "properties": { "desired": { "rate": 5, "old": 1 } } });
    let first = write(&mut core, body, false, Some("*")).unwrap();
    let next = json!({ "properties": { "desired": { "rate": 6, "$version": 7, "$metadata": {} } } });
    let second = write(&mut core, next, true, Some(&format!("\"{}\"", etag(&first)))).unwrap();
    assert_ne!(etag(&first), etag(&second));
    assert_eq!(second["properties"]["desired"], json!({ "rate": 6, "$version": 3 }));
    assert_eq!(second["tags"], json!({ "site": "plant" }), "what is not stated stays");
    let late = write(&mut core, json!({ "tags": {} }), false, Some(&etag(&first))).unwrap_err();
    assert_eq!(late.code(), 412_001);
    let updates = facts(&mut core).iter().filter(|fact| matches!(fact, HubEvent::TwinUpdated { .. })).count();
    assert_eq!(updates, 3, "the refused one is none");
}

#[test]
fn what_the_device_reports_does_not_move_the_etag() {
    let mut core = core();
    let before = etag(&write(&mut core, json!({ "tags": { "a": 1 } }), false, None).unwrap());
    let identity = ClientIdentity { device: device(), module: None };
    core.twins.entry(identity).or_default().reported.patch(&json!({ "b": 2 })).unwrap();
    let device = device();
    let ServiceReply::Twin(twin) =
        core.service(ServiceRequest::GetTwin { device, module: None }, at(1)).unwrap()
    else {
        panic!("no twin")
    };
    assert_eq!(etag(&twin), before);
}

#[test]
fn a_twin_too_deep_or_with_a_wrong_part_is_refused_whole() {
    let mut core = core();
    facts(&mut core);
    let deep = (0..11).fold(json!(1), |inner, _| json!({ "k": inner }));
    for body in [
        json!({ "tags": { "site": "plant" }, "properties": { "desired": deep } }),
        json!({ "tags": { "a.b": 1 }, "properties": { "desired": { "rate": 5 } } }),
        json!({ "tags": [] }),
        json!({ "properties": {} }),
    ] {
        assert_eq!(write(&mut core, body.clone(), false, None).unwrap_err().code(), 400_004, "{body}");
    }
    let refused = ("update twin".to_owned(), 400_004);
    assert_eq!(refusals(&mut core), vec![refused; 4], "and nothing of it was written");
}
