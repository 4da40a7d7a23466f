//! The classic agent's JSON schema 1.0: the envelope is checked as documented; ConnectionCreate becomes
//! flows with a stated direction, every other event kind is recorded by its name.

use hilarm_model::{AgentIdentity, Flow, FlowDirection, FlowProtocol, SecurityEvent, SecurityPayload};
use serde::Deserialize;
use serde_json::Value;

use super::SecurityMessage;
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
    category: Category,
    name: String,
    #[serde(rename = "EventType")]
    _event_type: EventType,
    is_empty: bool,
    payload_schema_version: String,
    payload: Vec<Value>,
}

#[derive(Deserialize, PartialEq)]
enum Category {
    Periodic,
    Triggered,
}

#[derive(Deserialize)]
enum EventType {
    Security,
    Operational,
    Diagnostic,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawConnection {
    remote_address: String,
    remote_port: String,
    direction: RawDirection,
    protocol: String,
    local_address: Option<String>,
    local_port: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
enum RawDirection {
    In,
    Out,
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
    let events = raw.events.iter().map(decode_event).collect::<Result<_, _>>()?;
    Ok(SecurityMessage { agent: AgentIdentity { id: raw.agent_id, version: raw.agent_version }, events })
}

/// 32 lower-case digits of a GUID.
fn guid(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let right = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    right.then(|| groups.concat().to_ascii_lowercase())
}

fn decode_event(raw: &RawEvent) -> Result<SecurityEvent, String> {
    if raw.payload_schema_version != "1.0" {
        return Err(format!("PayloadSchemaVersion of {} is not 1.0", raw.name));
    }
    if raw.category == Category::Triggered && (raw.is_empty || raw.payload.is_empty()) {
        return Err(format!("{} is triggered and empty", raw.name));
    }
    Ok(SecurityEvent {
        id: guid(&raw.id).ok_or("Id is not a GUID")?,
        agent_time: unix_seconds(&raw.timestamp_utc).ok_or("TimestampUTC is not a timestamp")?,
        collection_interval_s: None,
        payload: decode_payload(raw)?,
    })
}

fn decode_payload(raw: &RawEvent) -> Result<SecurityPayload, String> {
    match raw.name.as_str() {
        "ConnectionCreate" => {
            let flows = raw.payload.iter().map(decode_connection).collect::<Result<_, _>>()?;
            Ok(SecurityPayload::NetworkActivity(flows))
        }
        name => Ok(SecurityPayload::Other(name.to_owned())),
    }
}

fn decode_connection(item: &Value) -> Result<Flow, String> {
    let raw = RawConnection::deserialize(item).map_err(|why| format!("ConnectionCreate: {why}"))?;
    let protocol = match raw.protocol.to_ascii_lowercase().as_str() {
        "tcp" => FlowProtocol::Tcp,
        "udp" => FlowProtocol::Udp,
        "icmp" => FlowProtocol::Icmp,
        _ => return Err("ConnectionCreate: unknown Protocol".into()),
    };
    let remote_address = raw.remote_address.parse().map_err(|_| "RemoteAddress is not an address")?;
    let unspecified = match remote_address {
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let local_address = raw.local_address.map_or(Ok(unspecified), |text| text.parse());
    let local_port = raw.local_port.map_or(Ok(0), |text| text.parse());
    Ok(Flow {
        protocol,
        local_address: local_address.map_err(|_| "LocalAddress is not an address")?,
        local_port: local_port.map_err(|_| "LocalPort is not a port")?,
        remote_address,
        remote_port: raw.remote_port.parse().map_err(|_| "RemotePort is not a port")?,
        bytes_in: 0,
        bytes_out: 0,
        direction: Some(match raw.direction {
            RawDirection::In => FlowDirection::In,
            RawDirection::Out => FlowDirection::Out,
        }),
    })
}

#[cfg(test)]
mod tests {
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
    fn another_kind_is_recorded_by_its_name() {
        let message = decoded(&message(json!([event("LocalUsers", "Periodic", json!([]))]))).unwrap();
        assert_eq!(message.events[0].payload, SecurityPayload::Other("LocalUsers".into()));
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
}
