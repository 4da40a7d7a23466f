//! The events of a security message as rows of Log Analytics' `SecurityIoTRawEvent` table.

use hilarm_model::{HubEvent, HubRecord, SecurityPayload, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::security_alert::{AlertContext, time_text};

/// A row. Times are ISO 8601 in UTC; `EventDetails` is text that holds JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the columns are documented by Log Analytics")]
pub struct SecurityIotRawEvent {
    pub agent_version: String,
    pub associated_resource_id: String,
    pub device_id: String,
    pub event_details: String,
    #[serde(rename = "IoTRawEventId")]
    pub iot_raw_event_id: String,
    pub is_empty: bool,
    pub raw_event_category: String,
    pub raw_event_name: String,
    pub raw_event_type: String,
    pub time_generated: String,
    pub time_stamp: String,
}

/// The rows of a record; none when it is no security message.
pub fn security_iot_raw_events(record: &HubRecord, context: &AlertContext) -> Vec<SecurityIotRawEvent> {
    let HubEvent::SecurityMessageReceived { device, agent, events, .. } = &record.event else {
        return Vec::new();
    };
    let row = |event: &hilarm_model::SecurityEvent| {
        let (category, name) = kind(&event.payload);
        SecurityIotRawEvent {
            agent_version: agent.version.clone(),
            associated_resource_id: context.resource_id(),
            device_id: device.to_string(),
            event_details: json!(event.payload).to_string(),
            iot_raw_event_id: event.id.clone(),
            is_empty: is_empty(&event.payload),
            raw_event_category: category.to_owned(),
            raw_event_name: name.to_owned(),
            raw_event_type: "Security".to_owned(),
            time_generated: time_text(record.at),
            time_stamp: time_text(Timestamp::from_micros(event.agent_time.saturating_mul(1_000_000))),
        }
    };
    events.iter().map(row).collect()
}

/// Category and name of an event, as schema 1.0 has them.
fn kind(payload: &SecurityPayload) -> (&'static str, &str) {
    match payload {
        SecurityPayload::NetworkActivity(_) => ("Periodic", "NetworkActivity"),
        SecurityPayload::SystemInformation(_) => ("Periodic", "SystemInformation"),
        SecurityPayload::Heartbeat => ("Periodic", "Heartbeat"),
        SecurityPayload::Login(_) => ("Triggered", "Login"),
        SecurityPayload::ProcessCreate(_) => ("Triggered", "ProcessCreate"),
        SecurityPayload::ListeningPorts(_) => ("Periodic", "ListeningPorts"),
        SecurityPayload::Other(name) => ("Periodic", name),
    }
}

fn is_empty(payload: &SecurityPayload) -> bool {
    match payload {
        SecurityPayload::NetworkActivity(flows) => flows.is_empty(),
        SecurityPayload::ListeningPorts(ports) => ports.is_empty(),
        SecurityPayload::Heartbeat => true,
        _ => false,
    }
}
