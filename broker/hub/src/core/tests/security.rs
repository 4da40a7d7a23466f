//! What Defender is configured with: profile, knobs, and which recommendations are wanted.

use hilarm_model::{Profile, Tuning};

use super::management::managed;
use super::*;

#[test]
fn profile_and_knobs_of_the_defender_are_facts() {
    let mut core = core();
    let tuning = Tuning { include_device_twins: true, ..Tuning::default() };
    core.service(ServiceRequest::ConfigureProfile(Profile::AzureFaithful), at(1)).unwrap();
    core.service(ServiceRequest::TuneDefender(tuning), at(1)).unwrap();
    let expected = [HubEvent::ProfileConfigured(Profile::AzureFaithful), HubEvent::DefenderTuned(tuning)];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn a_security_solution_knows_every_recommendation_and_no_other() {
    let mut core = core();
    let put = |kind: &str| ServiceRequest::PutSecuritySolutionJson {
        name: "hilarm".into(),
        json: json!({ "properties": {
            "displayName": "hilarm", "iotHubs": [],
            "recommendationsConfiguration": [{ "recommendationType": kind, "status": "Disabled" }],
        }}),
    };
    let reply = managed(&mut core, put("IoT_SharedCredentials")).unwrap();
    let all = reply.body["properties"]["recommendationsConfiguration"].as_array().unwrap();
    let disabled = all.iter().filter(|one| one["status"] == "Disabled").count();
    assert_eq!((reply.status, all.len(), disabled), (201, 17, 1));
    assert_eq!(managed(&mut core, put("IoT_Weather")).unwrap_err().code(), 400_004);
}

#[test]
fn what_a_security_solution_switches_off_is_a_fact_and_a_patch_changes_what_it_names() {
    let mut core = core();
    let name = || "hilarm".to_owned();
    let recommendation = |kind: &str, status: &str| json!({ "recommendationType": kind, "status": status });
    let patch = |properties: Value| ServiceRequest::PatchSecuritySolutionJson {
        name: name(),
        json: json!({ "properties": properties }),
    };
    let configure = |recommendations: Value| json!({ "recommendationsConfiguration": recommendations });
    assert_eq!(managed(&mut core, patch(json!({}))).unwrap_err().code(), 404_000);
    let mut properties = configure(json!([recommendation("IoT_SharedCredentials", "Disabled")]));
    (properties["displayName"], properties["iotHubs"]) = (json!("hilarm"), json!([]));
    let put =
        ServiceRequest::PutSecuritySolutionJson { name: name(), json: json!({ "properties": properties }) };
    managed(&mut core, put).unwrap();
    managed(&mut core, patch(configure(json!([recommendation("IoT_IPFilter_DenyAll", "Disabled")]))))
        .unwrap();
    managed(&mut core, patch(configure(json!([recommendation("IoT_SharedCredentials", "Enabled")]))))
        .unwrap();
    assert_eq!(managed(&mut core, patch(json!({ "status": "Perhaps" }))).unwrap_err().code(), 400_004);
    managed(&mut core, patch(json!({ "status": "Disabled" }))).unwrap();
    managed(&mut core, ServiceRequest::DeleteSecuritySolution { name: name() }).unwrap();
    let facts = facts(&mut core).into_iter().filter_map(|fact| match fact {
        HubEvent::SecuritySolutionConfigured { disabled, .. } => Some(disabled.into_iter().collect()),
        HubEvent::SecuritySolutionRemoved { name } => Some(vec![name]),
        _ => None,
    });
    let facts: Vec<Vec<String>> = facts.collect();
    assert_eq!(facts[0], ["IoT_SharedCredentials"]);
    assert_eq!(facts[1], ["IoT_IPFilter_DenyAll", "IoT_SharedCredentials"]);
    assert_eq!(facts[2], ["IoT_IPFilter_DenyAll"]);
    assert_eq!((facts[3].len(), &facts[4][..]), (17, &["hilarm".to_owned()][..]), "all of them, then gone");
}

#[test]
fn a_sparse_security_solution_is_completed_and_read_back_as_azure_s_json() {
    let mut core = core();
    let hub = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/hub";
    let put = |properties: Value| {
        let json = json!({ "location": "West Europe", "properties": properties });
        ServiceRequest::PutSecuritySolutionJson { name: "hilarm".into(), json }
    };
    let written = managed(&mut core, put(json!({ "displayName": "hilarm", "iotHubs": [hub] }))).unwrap();
    assert_eq!(written.status, 201);
    let get = ServiceRequest::GetSecuritySolution { name: "hilarm".into() };
    let read = managed(&mut core, get).unwrap().body;
    assert_eq!(read, written.body);
    let id = read["id"].as_str().unwrap();
    assert!(id.ends_with("/resourceGroups/hilarm/providers/Microsoft.Security/iotSecuritySolutions/hilarm"));
    let properties = &read["properties"];
    assert_eq!(properties["autoDiscoveredResources"], json!([hub]));
    assert_eq!((&properties["status"], &properties["export"]), (&json!("Enabled"), &json!([])));
    let first = json!({
        "recommendationType": "IoT_ACRAuthentication",
        "name": "Service Principal Not Used with ACR",
        "status": "Enabled",
    });
    assert_eq!(properties["recommendationsConfiguration"][0], first);
    for (key, value) in [
        ("status", json!("On")),
        ("unmaskedIpLoggingStatus", json!(true)),
        ("export", json!(["RawEvents", "Weather"])),
        ("displayName", json!(7)),
    ] {
        let mut properties = json!({ "displayName": "hilarm", "iotHubs": [] });
        properties[key] = value;
        assert_eq!(managed(&mut core, put(properties)).unwrap_err().code(), 400_004, "{key}");
    }
}
