//! The classic agent's JSON schema 1.0, the envelope: what a message and its events must have. The kinds of
//! payload are `json_payload`.

use hilarm_model::{AgentIdentity, EventCategory, EventType, SecurityEvent};
use serde::Deserialize;
use serde_json::Value;

use super::SecurityMessage;
use super::budget::Budget;
use super::json_payload::{Kind, decode_payload};
use super::timestamp::unix_seconds;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawMessage {
    agent_version: String,
    agent_id: String,
    message_schema_version: String,
    events: Vec<RawEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEvent {
    id: String,
    #[serde(rename = "TimestampLocal")]
    _timestamp_local: String,
    #[serde(rename = "TimestampUTC")]
    timestamp_utc: String,
    #[serde(with = "Category")]
    category: EventCategory,
    name: String,
    #[serde(with = "Type")]
    event_type: EventType,
    is_empty: bool,
    payload_schema_version: String,
    payload: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(remote = "EventCategory")]
enum Category {
    Periodic,
    Triggered,
}

#[derive(Deserialize)]
#[serde(remote = "EventType")]
enum Type {
    Security,
    Operational,
    Diagnostic,
}

pub(super) fn decode(payload: &[u8]) -> Result<SecurityMessage, String> {
    let raw: RawMessage = serde_json::from_slice(payload).map_err(|why| why.to_string())?;
    if raw.message_schema_version != "1.0" {
        return Err("MessageSchemaVersion is not 1.0".into());
    }
    if guid(&raw.agent_id).is_none() {
        return Err("AgentId is not a GUID".into());
    }
    if raw.events.is_empty() {
        return Err("Events is empty".into());
    }
    let mut events = Vec::with_capacity(raw.events.len());
    let budget = Budget::of(payload.len());
    for event in &raw.events {
        decode_event(event, &budget, &mut events)?;
    }
    Ok(SecurityMessage { agent: AgentIdentity { id: raw.agent_id, version: raw.agent_version }, events })
}

/// 32 lower-case digits of a GUID.
fn guid(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let right = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    right.then(|| groups.concat().to_ascii_lowercase())
}

/// An event whose payload has several items of a kind that stands for one thing becomes as many events.
fn decode_event(raw: &RawEvent, budget: &Budget, events: &mut Vec<SecurityEvent>) -> Result<(), String> {
    if raw.payload_schema_version != "1.0" {
        return Err(format!("PayloadSchemaVersion of {} is not 1.0", raw.name));
    }
    if raw.category == EventCategory::Triggered && (raw.is_empty || raw.payload.is_empty()) {
        return Err(format!("{} is triggered and empty", raw.name));
    }
    let id = guid(&raw.id).ok_or("Id is not a GUID")?;
    let agent_time = unix_seconds(&raw.timestamp_utc).ok_or("TimestampUTC is not a timestamp")?;
    let kind = Kind { name: &raw.name, category: raw.category, event_type: raw.event_type };
    for payload in decode_payload(kind, &raw.payload, budget)? {
        events.push(SecurityEvent { id: id.clone(), agent_time, collection_interval_s: None, payload });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hilarm_model::{FlowDirection, SecurityPayload};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const GUID: &str = "8A2D9C5E-0000-4000-8000-0123456789AB";

    fn event(name: &str, category: &str, payload: Value) -> Value {
        json!({
            "Id": GUID, "TimestampLocal": "2026-01-01 01:00:00", "TimestampUTC": "2026-01-01T00:00:00Z",
            "Category": category, "Name": name, "EventType": "Security", "IsEmpty": false,
            "PayloadSchemaVersion": "1.0", "Payload": payload,
        })
    }

    fn message(events: Value) -> Value {
        json!({ "AgentVersion": "0.0.1", "AgentId": GUID, "MessageSchemaVersion": "1.0", "Events": events })
    }

    fn decoded(message: &Value) -> Result<SecurityMessage, String> {
        decode(message.to_string().as_bytes())
    }

    fn connection() -> Value {
        json!([{
            "RemoteAddress": "198.51.100.7", "RemotePort": "4444", "Direction": "Out", "Protocol": "tcp",
            "ProcessId": 7, "Executable": "/bin/nc", "ExtraDetails": { "a": "b" },
        }])
    }

    #[test]
    fn a_connection_becomes_a_flow_with_its_direction() {
        let message =
            decoded(&message(json!([event("ConnectionCreate", "Triggered", connection())]))).unwrap();
        let SecurityPayload::NetworkActivity(flows) = &message.events[0].payload else { panic!() };
        assert_eq!(flows[0].remote_address.to_string(), "198.51.100.7");
        assert_eq!((flows[0].remote_port, flows[0].direction), (4444, Some(FlowDirection::Out)));
        assert_eq!(message.events[0].id, "8a2d9c5e0000400080000123456789ab");
        assert_eq!(message.events[0].agent_time, 1_767_225_600);
    }

    #[test]
    fn another_kind_is_recorded_with_what_it_says() {
        let user = json!({ "UserId": 0, "UserName": "root", "GroupIds": "0;4", "GroupNames": "root;adm" });
        let message = decoded(&message(json!([event("LocalUsers", "Periodic", json!([user]))]))).unwrap();
        let SecurityPayload::Recorded(recorded) = &message.events[0].payload else { panic!("{message:?}") };
        assert_eq!(recorded.name, "LocalUsers");
        assert_eq!((recorded.category, recorded.event_type), (EventCategory::Periodic, EventType::Security));
        let said: Vec<_> = recorded.items[0].iter().map(|(name, text)| (&**name, &**text)).collect();
        let expected =
            [("GroupIds", "0;4"), ("GroupNames", "root;adm"), ("UserId", "0"), ("UserName", "root")];
        assert_eq!(said, expected);
    }

    #[test]
    fn items_that_cost_far_more_than_the_bytes_that_say_them_are_refused() {
        let told = |item: Value, count: usize| {
            let items = Value::Array(vec![item; count]);
            decoded(&message(json!([event("Weather", "Periodic", items)]))).map(drop)
        };
        for tiny in [json!({}), json!({ "a": 1 })] {
            assert_eq!(told(tiny.clone(), 10_000), Err("the items outgrow the message".into()), "{tiny}");
            assert_eq!(told(tiny, 3), Ok(()), "a few are no attack");
        }
        assert_eq!(told(json!({ "Rain": true, "Wind": 7 }), 10_000), Ok(()), "nor is what says something");
    }

    #[test]
    fn several_logins_in_one_event_are_several_events_with_its_id() {
        let login = |user: &str| json!({ "ProcessId": 1, "Operation": "Login", "Executable": "/bin/login", "Result": "Fail", "UserName": user });
        let event = event("Login", "Triggered", json!([login("root"), login("admin")]));
        let message = decoded(&message(json!([event]))).unwrap();
        let user = |event: &SecurityEvent| match &event.payload {
            SecurityPayload::Login(login) => login.user.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(message.events.iter().map(user).collect::<Vec<_>>(), ["root", "admin"]);
        assert_eq!(message.events[0].id, message.events[1].id);
    }

    #[test]
    fn a_broken_envelope_is_refused() {
        let mut wrong_version = message(json!([event("LocalUsers", "Periodic", json!([]))]));
        wrong_version["MessageSchemaVersion"] = "2.0".into();
        let mut extra = message(json!([event("LocalUsers", "Periodic", json!([]))]));
        extra["More"] = 1.into();
        let empty_trigger = message(json!([event("ConnectionCreate", "Triggered", json!([]))]));
        let short = json!([{ "RemoteAddress": "198.51.100.7" }]);
        let incomplete = message(json!([event("ConnectionCreate", "Triggered", short)]));
        for bad in [json!({}), message(json!([])), wrong_version, extra, empty_trigger, incomplete] {
            assert!(decoded(&bad).is_err(), "{bad}");
        }
        assert!(decode(b"\xFF\xFE").is_err());
    }

    proptest! {
        #[test]
        fn a_mutated_message_never_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..12)) {
            let login = json!([{ "ProcessId": 1, "Operation": "Login", "Executable": "/bin/login", "Result": "Fail", "UserId": 0 }]);
            let events = json!([event("ConnectionCreate", "Triggered", connection()), event("Login", "Triggered", login)]);
            let mut bytes = message(events).to_string().into_bytes();
            let length = bytes.len();
            changes.into_iter().for_each(|(position, byte)| bytes[position % length] = byte);
            let _ = decode(&bytes);
        }
    }
}
