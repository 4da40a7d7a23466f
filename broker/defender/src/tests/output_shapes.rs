//! Each output shape (defender.md 4.2) against a schema of its own, for every detection that fired.

use hilarm_model::CertificateChange::Added;
use hilarm_model::RefusalCause::SasInvalidSignature;
use hilarm_model::{HubRecord, TwinSection};
use serde_json::{Value, json};

use super::fixture::{
    DEVICE, World, at, certificate_written, diagnostic_setting_deleted, flow, group, heartbeat, keyed, login,
    process, refused, report, reports, threats, twin_updated,
};
use crate::{
    AlertContext, arm_alert, compliance_finding, detection_finding, security_alert, security_iot_raw_events,
    security_recommendations,
};

fn context() -> AlertContext {
    AlertContext::new("hub", "device/shapes")
}

/// Alerts of devices and of the hub, with and without subject and range; recommendations of both kinds.
fn world() -> World {
    let mut world = World::provisioned(group(0, 0, 60));
    world.see(-1, threats("198.51.100.0/24"));
    world.see(-1, keyed("pump-2", "11", "12"));
    world.see(-1, keyed("pump-3", "11", "13"));
    world.start();
    world.see(1, report(DEVICE, vec![flow("198.51.100.1", 1, 1)]));
    world.see(2, refused(DEVICE, [SasInvalidSignature]));
    world.see_telemetry(3, DEVICE, 1);
    world.see(4, certificate_written("root-1", 201, Some(Added)));
    world.see(5, diagnostic_setting_deleted("to-logs", 403, true));
    world.see(6, keyed("pump-3", "14", "13"));
    world
}

/// Whether a value has the shape: objects name exactly their members, `"?"` before a name makes it optional;
/// a list holds the shape of each item; text is the type's name, or a constant after `=`.
fn check(value: &Value, shape: &Value, path: &str) {
    match (value, shape) {
        (Value::Object(members), Value::Object(shapes)) => {
            for name in members.keys() {
                let known = shapes.contains_key(name) || shapes.contains_key(&format!("?{name}"));
                assert!(known, "{path}.{name} is not in the schema");
            }
            for (name, shape) in shapes {
                let path = format!("{path}.{}", name.trim_start_matches('?'));
                match members.get(name.trim_start_matches('?')) {
                    Some(member) => check(member, shape, &path),
                    None => assert!(name.starts_with('?'), "{path} is missing"),
                }
            }
        }
        (Value::Array(items), Value::Array(shapes)) => {
            let shape = &shapes[0];
            items.iter().enumerate().for_each(|(n, item)| check(item, shape, &format!("{path}[{n}]")));
        }
        (value, Value::String(kind)) => assert!(is(value, kind), "{path} is {value}, not {kind}"),
        _ => panic!("{path} is {value}, not {shape}"),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    let text = value.as_str();
    match kind {
        "text" => text.is_some(),
        "filled" => text.is_some_and(|text| !text.is_empty()),
        "time" => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z')),
        "guid" => text.is_some_and(|text| uuid::Uuid::parse_str(text).is_ok()),
        "json" => text.is_some_and(|text| serde_json::from_str::<Value>(text).is_ok()),
        "severity" => matches!(text, Some("Informational" | "Low" | "Medium" | "High")),
        "number" => value.is_u64(),
        "bool" => value.is_boolean(),
        "texts" => value.as_object().is_some_and(|members| members.values().all(Value::is_string)),
        "object" => value.is_object(),
        "=null" => value.is_null(),
        _ => {
            let constant = kind.strip_prefix('=');
            let number = constant.and_then(|constant| constant.parse::<u64>().ok());
            constant.is_some() && (text == constant || (number.is_some() && value.as_u64() == number))
        }
    }
}

/// What a column holds that is JSON as text.
fn inner(row: &Value, column: &str) -> Value {
    serde_json::from_str(row[column].as_str().unwrap()).unwrap_or_else(|why| panic!("{column}: {why}"))
}

#[test]
fn security_alerts_have_the_shape_of_the_table_of_log_analytics() {
    let shape = json!({
        "AlertLink": "text", "AlertName": "filled", "AlertSeverity": "severity", "AlertType": "filled",
        "CompromisedEntity": "filled", "ConfidenceLevel": "text", "ConfidenceScore": "=null",
        "Description": "filled", "DisplayName": "filled", "EndTime": "time", "Entities": "json",
        "ExtendedLinks": "json", "ExtendedProperties": "json", "IsIncident": "bool",
        "ProcessingEndTime": "time", "ProductComponentName": "text",
        "ProductName": "=Azure Security Center for IoT", "ProviderName": "=IoTSecurity",
        "RemediationSteps": "json", "ResourceId": "filled", "SourceComputerId": "text", "StartTime": "time",
        "Status": "filled", "SubTechniques": "json", "SystemAlertId": "guid", "Tactics": "text",
        "Techniques": "json", "TimeGenerated": "time", "Type": "=SecurityAlert", "VendorName": "=Microsoft",
        "VendorOriginalId": "text", "WorkspaceResourceGroup": "filled", "WorkspaceSubscriptionId": "guid",
    });
    let world = world();
    for alert in world.defender.alerts() {
        let row = serde_json::to_value(security_alert(alert, &context())).unwrap();
        check(&row, &shape, alert.slug);
        check(&inner(&row, "ExtendedProperties"), &json!("texts"), alert.slug);
        check(&inner(&row, "ExtendedLinks"), &json!(["object"]), alert.slug);
        for column in ["RemediationSteps", "Techniques", "SubTechniques"] {
            check(&inner(&row, column), &json!(["filled"]), column);
        }
        let entities = inner(&row, "Entities");
        for entity in entities.as_array().unwrap() {
            assert!(is(&entity["$id"], "filled") && is(&entity["Type"], "filled"), "{entity}");
        }
    }
}

#[test]
#[should_panic(expected = "row.AlertLink is 7, not text")]
fn a_value_of_another_type_does_not_pass() {
    check(&json!({ "AlertLink": 7 }), &json!({ "AlertLink": "text" }), "row");
}

#[test]
#[should_panic(expected = "row.Extra is not in the schema")]
fn a_column_that_no_schema_names_does_not_pass() {
    check(&json!({ "Extra": "" }), &json!({}), "row");
}

#[test]
fn arm_alerts_have_the_shape_of_2022_01_01() {
    let shape = json!({
        "id": "filled", "name": "guid", "type": "=Microsoft.Security/Locations/alerts",
        "properties": {
            "version": "=2022-01-01", "alertType": "filled", "systemAlertId": "guid",
            "productComponentName": "text", "productName": "filled", "vendorName": "=Microsoft",
            "alertDisplayName": "filled", "description": "filled", "severity": "severity", "intent": "filled",
            "techniques": ["filled"], "subTechniques": ["filled"], "startTimeUtc": "time",
            "endTimeUtc": "time", "timeGeneratedUtc": "time", "processingEndTimeUtc": "time",
            "resourceIdentifiers": [{ "type": "=AzureResource", "azureResourceId": "filled" }],
            "remediationSteps": ["filled"], "status": "=Active", "isIncident": "bool", "entities": ["object"],
            "extendedProperties": "texts", "extendedLinks": ["object"], "compromisedEntity": "filled",
        },
    });
    let world = world();
    assert_eq!(world.defender.alerts().len(), 5);
    for alert in world.defender.alerts() {
        let rendered = arm_alert(alert, &context());
        check(&rendered, &shape, alert.slug);
        let names_the_hub = rendered["properties"]["extendedProperties"].get("DescIoTHubName");
        assert_eq!(names_the_hub.is_some(), alert.slug.starts_with("cert") || alert.slug.starts_with("diag"));
    }
}

/// What both kinds of finding share.
fn finding(class: &str, rest: Value) -> Value {
    let mut shape = json!({
        "class_uid": class, "category_uid": "=2", "activity_id": "number", "type_uid": "number",
        "time": "number", "severity_id": "number", "severity": "severity", "message": "filled",
        "metadata": { "version": "=1.3.0", "product": { "name": "filled", "vendor_name": "filled" } },
        "finding_info": {
            "uid": "guid", "title": "filled", "desc": "filled", "types": ["filled"],
            "first_seen_time": "number", "last_seen_time": "number",
            "analytic": { "uid": "filled", "name": "filled", "type_id": "=1", "type": "=Rule" },
            "?attacks": [{ "technique": { "uid": "filled" }, "?sub_technique": { "uid": "filled" } }],
        },
        "remediation": { "desc": "filled" }, "status_id": "number", "status": "filled",
        "resources": [{ "uid": "filled", "type": "filled" }], "unmapped": "object",
    });
    let (shape_members, rest) = (shape.as_object_mut().unwrap(), rest.as_object().unwrap().clone());
    shape_members.extend(rest);
    shape
}

#[test]
fn detection_findings_have_the_shape_of_ocsf_class_2004() {
    let shape = finding("=2004", json!({ "count": "number" }));
    let world = world();
    for alert in world.defender.alerts() {
        let rendered = detection_finding(alert, &context());
        check(&rendered, &shape, alert.slug);
        assert_eq!(rendered["type_uid"], 200_401);
        assert!((1..=4).contains(&rendered["severity_id"].as_u64().unwrap()));
    }
}

#[test]
fn compliance_findings_have_the_shape_of_ocsf_class_2003() {
    let compliance =
        json!({ "control": "filled", "standards": ["filled"], "status_id": "number", "status": "filled" });
    let shape = finding("=2003", json!({ "compliance": compliance }));
    let world = world();
    let rendered = world
        .defender
        .recommendations()
        .iter()
        .map(|known| (known.slug, compliance_finding(known, &context())));
    let mut outcomes = Vec::new();
    for (slug, rendered) in rendered {
        check(&rendered, &shape, slug);
        outcomes.push((slug, rendered["type_uid"].clone(), rendered["compliance"]["status"].clone()));
    }
    let expected = [
        ("identical-credentials", json!(200_303), json!("Pass")),
        ("ip-filter-default-deny", json!(200_301), json!("Fail")),
        ("diagnostics-logs", json!(200_301), json!("Fail")),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn recommendations_have_a_row_a_device_or_one_for_the_hub() {
    let shape = json!({
        "AssessedResourceId": "filled", "Description": "filled", "DeviceId": "text",
        "DiscoveredTimeUTC": "time", "IsSnapshot": "bool", "ProviderName": "=IoTSecurity",
        "RecommendationAdditionalData": "json", "RecommendationDisplayName": "filled",
        "RecommendationId": "guid", "RecommendationName": "filled", "RecommendationSeverity": "severity",
        "RecommendationState": "filled", "RemediationDescription": "filled", "StatusChangeDate": "time",
        "TimeGenerated": "time", "Type": "=SecurityRecommendation",
    });
    let world = world();
    let rows =
        world.defender.recommendations().iter().flat_map(|known| security_recommendations(known, &context()));
    let rows: Vec<_> = rows.collect();
    rows.iter().for_each(|row| check(&serde_json::to_value(row).unwrap(), &shape, &row.recommendation_name));
    let subjects = rows.iter().map(|row| (row.recommendation_name.as_str(), row.device_id.as_str()));
    let expected = [
        ("IoT_SharedCredentials", "pump-2"),
        ("IoT_SharedCredentials", "pump-3"),
        ("IoT_IPFilter_DenyAll", ""),
        ("IoT_DiagnosticsMode", ""),
    ];
    assert_eq!(subjects.collect::<Vec<_>>(), expected);
}

#[test]
fn raw_events_have_a_row_an_event() {
    let shape = json!({
        "AgentVersion": "filled", "AssociatedResourceId": "filled", "DeviceId": "filled",
        "EventDetails": "json", "IoTRawEventId": "filled", "IsEmpty": "bool", "RawEventCategory": "filled",
        "RawEventName": "filled", "RawEventType": "=Security", "TimeGenerated": "time", "TimeStamp": "time",
    });
    let messages = [
        reports(DEVICE, [login("root", true), process("/bin/sh")]),
        heartbeat(DEVICE),
        report(DEVICE, vec![]),
        twin_updated(DEVICE, true, TwinSection::Reported),
    ];
    let rows = messages.map(|event| security_iot_raw_events(&HubRecord { at: at(9), event }, &context()));
    rows.iter().flatten().for_each(|row| check(&serde_json::to_value(row).unwrap(), &shape, "row"));
    let kinds =
        rows.iter().map(|rows| rows.iter().map(|row| row.raw_event_name.as_str()).collect::<Vec<_>>());
    let expected = [vec!["Login", "ProcessCreate"], vec!["Heartbeat"], vec!["NetworkActivity"], vec![]];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}
