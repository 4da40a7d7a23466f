//! Each matcher with every field stated, the same fields otherwise, and the line of a journal that it means.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;

/// Name of the matcher, its fields, the fields with another value each, the entry of the line.
type Case = (&'static str, Value, Value, Value);

fn hub(event: Value) -> Value {
    json!({ "hub": { "at": 1_767_225_600_000_000_i64, "event": event } })
}

/// An event of which nothing but the device counts.
fn of_device(name: &'static str, mut rest: Value) -> Case {
    rest["device"] = "pump-1".into();
    (name, json!({ "device": "pump-1" }), json!({ "device": "pump-2" }), hub(json!({ name: rest })))
}

/// An event of a device over a protocol.
fn over_protocol(name: &'static str, mut rest: Value) -> Case {
    (rest["device"], rest["protocol"]) = ("pump-1".into(), "https".into());
    let fields = json!({ "device": "pump-1", "protocol": "https" });
    (name, fields, json!({ "device": "pump-2", "protocol": "mqtt" }), hub(json!({ name: rest })))
}

/// A write or a deletion of a part of the hub.
fn of_name(name: &'static str, mut rest: Value) -> Case {
    (rest["name"], rest["status"], rest["caller"]) = ("root".into(), 403.into(), "intern".into());
    let fields = json!({ "name": "root", "status": 403 });
    (name, fields, json!({ "name": "other", "status": 200 }), hub(json!({ name: rest })))
}

/// A security message with one event.
fn reported(name: &'static str, fields: Value, others: Value, payload: Value) -> Case {
    let agent = json!({ "id": "agent", "version": "3.5.4" });
    let event = json!({ "id": "1", "agent_time": 0, "collection_interval_s": null, "payload": payload });
    let message = json!({ "device": "pump-1", "module": null, "agent": agent, "events": [event] });
    (name, fields, others, hub(json!({ "security_message_received": message })))
}

fn telemetry(duplicate: bool) -> Value {
    json!({ "module": null, "payload_bytes": 4, "duplicate": duplicate })
}

fn connections() -> Vec<Case> {
    let accepted = json!({
        "connection": 1, "module": null, "peer": "10.42.0.2:50000", "tls": "tls13", "session_present": false,
        "authentication": { "sas": { "expiry": 0 } },
    });
    let refused = json!({
        "connection": 1, "device": "pump-1", "registered": true, "protocol": "mqtt", "peer": "10.42.0.2:50000",
        "causes": ["sas_scope_mismatch", { "sas_expired": { "expiry": 0 } }],
    });
    let violated = json!({
        "connection": 1, "device": "pump-1", "peer": "10.42.0.2:50000", "violation": "second CONNECT",
        "bytes_hex": "",
    });
    vec![
        over_protocol("connection_accepted", accepted),
        (
            "connection_refused",
            json!({ "device": "pump-1", "cause": "sas-expired" }),
            json!({ "device": "pump-2", "cause": "sas-malformed" }),
            hub(json!({ "connection_refused": refused })),
        ),
        (
            "connection_closed",
            json!({ "device": "pump-1", "reason": "taken-over" }),
            json!({ "device": "pump-2", "reason": "disconnected" }),
            hub(
                json!({ "connection_closed": { "connection": 1, "device": "pump-1", "reason": "taken_over" } }),
            ),
        ),
        (
            "protocol_violated",
            json!({ "device": "pump-1", "violation": "second CONNECT" }),
            json!({ "device": "pump-2", "violation": "no topic filter" }),
            hub(json!({ "protocol_violated": violated })),
        ),
    ]
}

fn refusals() -> Vec<Case> {
    let publish = json!({ "publish": { "topic": "devices/pump-2/messages/events/" } });
    let call =
        json!({ "device": "pump-1", "operation": "direct method", "caller": "intern", "code": 401_002 });
    let request = json!({ "device": "pump-1", "module": null, "operation": publish, "code": 400_004 });
    vec![
        of_device("operation_refused", json!({ "operation": publish })),
        (
            "service_operation_refused",
            call.clone(),
            json!({ "device": "pump-2", "operation": "purge queue", "caller": "owner", "code": 404_001 }),
            hub(json!({ "service_operation_refused": call })),
        ),
        (
            "request_refused",
            json!({ "device": "pump-1", "code": 400_004 }),
            json!({ "device": "pump-2", "code": 412_002 }),
            hub(json!({ "request_refused": request })),
        ),
    ]
}

fn reports() -> Vec<Case> {
    let flow = json!({
        "protocol": "tcp", "local_address": "10.42.0.2", "local_port": 50_000, "bytes_in": 1, "bytes_out": 1,
        "remote_address": "203.0.113.66", "remote_port": 1883, "direction": "out",
    });
    let login =
        json!({ "user": "root", "success": false, "executable": "/sbin/login", "remote_address": null });
    let process = json!({ "executable": "/tmp/x", "command_line": "x", "user": "root" });
    let port = json!({ "protocol": "tcp", "address": "0.0.0.0", "port": 2323 });
    let user = |name: &str, id: &str| json!({ "UserName": name, "UserId": id });
    let users = json!({
        "name": "LocalUsers", "category": "periodic", "event_type": "security",
        "items": [user("root", "0"), user("backdoor", "1")],
    });
    vec![
        reported(
            "flow_reported",
            json!({
                "device": "pump-1", "remote_address": "203.0.113.66", "remote_port": 1883, "direction": "out",
            }),
            json!({
                "device": "pump-2", "remote_address": "203.0.113.67", "remote_port": 443, "direction": "in",
            }),
            json!({ "network_activity": [flow] }),
        ),
        reported(
            "login_reported",
            json!({ "device": "pump-1", "user": "root", "success": false }),
            json!({ "device": "pump-2", "user": "operator", "success": true }),
            json!({ "login": login }),
        ),
        reported(
            "process_reported",
            json!({ "device": "pump-1", "executable": "/tmp/x" }),
            json!({ "device": "pump-2", "executable": "x" }),
            json!({ "process_create": process }),
        ),
        reported(
            "listening_ports_reported",
            json!({ "device": "pump-1", "port": 2323 }),
            json!({ "device": "pump-2", "port": 23 }),
            json!({ "listening_ports": [port] }),
        ),
        reported(
            "security_event_reported",
            json!({ "device": "pump-1", "name": "LocalUsers", "item": { "UserName": "backdoor" } }),
            json!({ "device": "pump-2", "name": "OSBaseline", "item": { "UserName": "root", "UserId": "1" } }),
            json!({ "recorded": users }),
        ),
    ]
}

fn messages() -> Vec<Case> {
    let rejected = json!({ "device": "pump-1", "payload_bytes": 4, "reason": "JSON: AgentId is no GUID" });
    let message = || json!({ "message_id": "m" });
    let dead =
        json!({ "device": "pump-1", "message_id": "m", "outcome": "expired", "delivered_over": "mqtt" });
    let method =
        json!({ "device": "pump-1", "method": "stop", "outcome": { "answered": { "status": 200 } } });
    let mut protocol_free = message();
    protocol_free["protocol"] = "mqtt".into();
    vec![
        over_protocol("telemetry_received", telemetry(false)),
        (
            "security_message_rejected",
            json!({ "device": "pump-1", "reason": "AgentId" }),
            json!({ "device": "pump-2", "reason": "AgentVersion" }),
            hub(json!({ "security_message_rejected": rejected })),
        ),
        of_device("cloud_to_device_enqueued", protocol_free),
        over_protocol("cloud_to_device_delivered", message()),
        of_device("cloud_to_device_completed", message()),
        over_protocol("cloud_to_device_rejected", message()),
        over_protocol("cloud_to_device_abandoned", message()),
        (
            "cloud_to_device_dead_lettered",
            json!({ "device": "pump-1", "outcome": "expired", "delivered_over": "mqtt" }),
            json!({ "device": "pump-2", "outcome": "purged", "delivered_over": "https" }),
            hub(json!({ "cloud_to_device_dead_lettered": dead })),
        ),
        (
            "direct_method_invoked",
            json!({ "device": "pump-1", "method": "stop", "status": 200 }),
            json!({ "device": "pump-2", "method": "start", "status": 404 }),
            hub(json!({ "direct_method_invoked": method })),
        ),
        of_device("queue_purged", json!({ "messages": 0 })),
        of_device("file_upload_completed", json!({ "blob": "a", "blob_bytes": 1, "success": true })),
    ]
}

fn identities() -> Vec<Case> {
    let keys = json!({ "sas": { "primary_sha256": "", "secondary_sha256": "" } });
    let registered = json!({ "device": "pump-1", "authentication": keys, "security_group": "plant" });
    let updated = json!({ "device": "pump-1", "module": "agent", "section": "desired", "version": 2 });
    vec![
        (
            "device_registered",
            json!({ "device": "pump-1", "security_group": "plant" }),
            json!({ "device": "pump-2", "security_group": "default" }),
            hub(json!({ "device_registered": registered })),
        ),
        of_device("device_removed", json!({})),
        of_device("device_status_changed", json!({ "enabled": false })),
        of_device("twin_read", json!({ "module": null })),
        (
            "twin_updated",
            json!({ "device": "pump-1", "module": "agent", "section": "desired" }),
            json!({ "device": "pump-2", "module": "other", "section": "tags" }),
            hub(json!({ "twin_updated": updated })),
        ),
    ]
}

fn management() -> Vec<Case> {
    let rule = json!({ "name": "plant", "action": "allow", "network": "10.0.0.0/8" });
    let rules = json!({ "default_action": "deny", "rules": [rule], "stated": true });
    let solution = json!({ "name": "plant", "disabled": ["IoT_DiagnosticsMode"] });
    vec![
        of_name("certificate_written", json!({ "change": null })),
        of_name("certificate_deleted", json!({ "existed": true })),
        of_name("diagnostic_setting_written", json!({ "enabled_categories": [] })),
        of_name("diagnostic_setting_deleted", json!({ "existed": true })),
        (
            "network_rules_changed",
            json!({ "default_action": "deny", "allows": "10.0.0.0/8" }),
            json!({ "default_action": "allow", "allows": "10.0.0.0/9" }),
            hub(json!({ "network_rules_changed": rules })),
        ),
        (
            "security_solution_configured",
            json!({ "name": "plant", "disabled": "diagnostics-logs" }),
            json!({ "name": "mill", "disabled": "identical-credentials" }),
            hub(json!({ "security_solution_configured": solution })),
        ),
        (
            "security_solution_removed",
            json!({ "name": "plant" }),
            json!({ "name": "mill" }),
            hub(json!({ "security_solution_removed": { "name": "plant" } })),
        ),
    ]
}

fn of_the_harness() -> Vec<Case> {
    let opened = json!({ "connection_opened": {
        "link": 0, "local": "10.42.0.2:50000", "remote": "203.0.113.66:1883", "standing": "sink",
    }});
    let feedback = json!({ "device": "pump-1", "message_id": "m", "outcome": "rejected" });
    let notice = json!({ "device": "pump-1", "blob_path": "pump-1/a", "blob_bytes": 1 });
    let received = json!({
        "endpoint": "203.0.113.66:1883", "client_id": "bot", "topic": "loot", "payload_bytes": 1,
    });
    vec![
        (
            "network_connected",
            json!({ "device": "pump-1", "remote_address": "203.0.113.66", "remote_port": 1883 }),
            json!({ "device": "pump-2", "remote_address": "203.0.113.67", "remote_port": 443 }),
            json!({ "harness": { "network": { "device": "pump-1", "fact": opened } } }),
        ),
        (
            "feedback_taken",
            json!({ "device": "pump-1", "outcome": "rejected" }),
            json!({ "device": "pump-2", "outcome": "success" }),
            json!({ "harness": { "feedback_taken": feedback } }),
        ),
        (
            "file_notification_taken",
            json!({ "device": "pump-1" }),
            json!({ "device": "pump-2" }),
            json!({ "harness": { "file_notification_taken": notice } }),
        ),
        (
            "adversary_received",
            json!({ "endpoint": "203.0.113.66:1883", "topic": "loot" }),
            json!({ "endpoint": "203.0.113.66:1884", "topic": "orders" }),
            json!({ "harness": { "adversary_received": received } }),
        ),
    ]
}

fn cases() -> Vec<Case> {
    [connections(), refusals(), reports(), messages(), identities(), management(), of_the_harness()].concat()
}

fn line(entry: &Value) -> Line {
    serde_json::from_value(json!({ "mono": 0, "entry": entry }))
        .unwrap_or_else(|why| panic!("{why}: {entry}"))
}

fn matcher(name: &str, fields: &Value) -> EventMatch {
    serde_json::from_value(json!({ name: fields })).unwrap_or_else(|why| panic!("{why}: {name} {fields}"))
}

/// The fields, one of them with its other value; once for each field.
fn with_one_changed(fields: &Value, others: &Value) -> Vec<Value> {
    let others = others.as_object().map(Map::iter).into_iter().flatten();
    let changed = others.map(|(key, other)| {
        let mut changed = fields.clone();
        changed[key] = other.clone();
        changed
    });
    changed.collect()
}

#[test]
fn each_matcher_means_its_event_and_no_other() {
    for (name, fields, _, own) in cases() {
        for (other, _, _, entry) in cases() {
            let mut meant = own == entry;
            // Any report is a security message.
            meant |= name == "security_message_received" && other.ends_with("_reported");
            assert_eq!(matches(&matcher(name, &fields), &line(&entry)), meant, "{name} against {other}");
            assert_eq!(
                matches(&matcher(name, &json!({})), &line(&entry)),
                meant,
                "{name} {{}} against {other}"
            );
        }
    }
}

#[test]
fn each_field_of_a_matcher_counts() {
    for (name, fields, others, entry) in cases() {
        let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>());
        assert_eq!(keys(&fields), keys(&others), "{name}");
        for changed in with_one_changed(&fields, &others) {
            assert!(!matches(&matcher(name, &changed), &line(&entry)), "{name} {changed}");
        }
    }
}

#[test]
fn each_matcher_of_the_schema_has_its_case() {
    let names: BTreeSet<String> = cases().iter().map(|case| case.0.to_owned()).collect();
    let schema: Value = serde_json::from_str(&hilarm_scenario::json_schema()).unwrap();
    let known = schema["definitions"]["EventMatch"]["oneOf"].as_array().unwrap();
    let known = known.iter().flat_map(|one| one["required"].as_array().unwrap());
    let known: BTreeSet<String> = known.map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(known.difference(&names).collect::<Vec<_>>(), ["security_message_received"]);
    assert_eq!(names.difference(&known).count(), 0);
}

#[test]
fn a_flow_of_no_stated_direction_matches_none() {
    let flow = json!({
        "protocol": "tcp", "local_address": "10.42.0.2", "local_port": 50_000, "bytes_in": 1, "bytes_out": 1,
        "remote_address": "203.0.113.66", "remote_port": 1883, "direction": null,
    });
    let (name, .., entry) =
        reported("flow_reported", json!({}), json!({}), json!({ "network_activity": [flow] }));
    assert!(matches(&matcher(name, &json!({ "remote_port": 1883 })), &line(&entry)));
    assert!(!matches(&matcher(name, &json!({ "remote_port": 1883, "direction": "out" })), &line(&entry)));
}

#[test]
fn any_report_is_a_security_message_of_its_device() {
    for (name, .., entry) in reports() {
        for (device, meant) in [("pump-1", true), ("pump-2", false)] {
            let matcher = matcher("security_message_received", &json!({ "device": device }));
            assert_eq!(matches(&matcher, &line(&entry)), meant, "{name}");
        }
    }
}

#[test]
fn a_retransmission_is_no_telemetry_and_what_names_nobody_is_nobodys() {
    let (name, fields, ..) = over_protocol("telemetry_received", telemetry(false));
    let (.., duplicate) = over_protocol("telemetry_received", telemetry(true));
    assert!(!matches(&matcher(name, &fields), &line(&duplicate)));
    let call = json!({ "device": null, "operation": "write hub", "caller": "intern", "code": 403_000 });
    let refused = line(&hub(json!({ "service_operation_refused": call })));
    assert!(matches(&matcher("service_operation_refused", &json!({ "code": 403_000 })), &refused));
    assert!(!matches(&matcher("service_operation_refused", &json!({ "device": "pump-1" })), &refused));
}

#[test]
fn what_is_no_answer_of_a_method_is_known_by_its_code() {
    for (outcome, code) in [
        (json!("device_offline"), 404_103),
        (json!("timed_out"), 504_101),
        (json!({ "connection_closed": { "code": 400_027 } }), 400_027),
    ] {
        let invoked = json!({ "device": "pump-1", "method": "stop", "outcome": outcome });
        let invoked = line(&hub(json!({ "direct_method_invoked": invoked })));
        let of = |code: u32| matcher("direct_method_invoked", &json!({ "code": code }));
        assert!(matches(&of(code), &invoked) && !matches(&of(404_104), &invoked), "{code}");
    }
}
