//! The events of a security message as rows of Log Analytics' `SecurityIoTRawEvent` table.

use hilarm_model::{EventCategory, EventType, HubEvent, HubRecord, SecurityPayload, Timestamp};
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
        let (category, name, event_type) = kind(&event.payload);
        SecurityIotRawEvent {
            agent_version: agent.version.clone(),
            associated_resource_id: context.resource_id(),
            device_id: device.to_string(),
            event_details: json!(event.payload).to_string(),
            iot_raw_event_id: event.id.clone(),
            is_empty: is_empty(&event.payload),
            raw_event_category: category.to_owned(),
            raw_event_name: name.to_owned(),
            raw_event_type: event_type.to_owned(),
            time_generated: time_text(record.at),
            time_stamp: time_text(Timestamp::from_micros(event.agent_time.saturating_mul(1_000_000))),
        }
    };
    events.iter().map(row).collect()
}

/// Category, name and type of an event, as schema 1.0 has them.
fn kind(payload: &SecurityPayload) -> (&'static str, &str, &'static str) {
    match payload {
        SecurityPayload::NetworkActivity(_) => ("Periodic", "NetworkActivity", "Security"),
        SecurityPayload::SystemInformation(_) => ("Periodic", "SystemInformation", "Security"),
        SecurityPayload::Heartbeat => ("Periodic", "Heartbeat", "Security"),
        SecurityPayload::Login(_) => ("Triggered", "Login", "Security"),
        SecurityPayload::ProcessCreate(_) => ("Triggered", "ProcessCreate", "Security"),
        SecurityPayload::ListeningPorts(_) => ("Periodic", "ListeningPorts", "Security"),
        SecurityPayload::Recorded(event) => {
            let category = match event.category {
                EventCategory::Periodic => "Periodic",
                EventCategory::Triggered => "Triggered",
            };
            let event_type = match event.event_type {
                EventType::Security => "Security",
                EventType::Operational => "Operational",
                EventType::Diagnostic => "Diagnostic",
            };
            (category, &event.name, event_type)
        }
    }
}

fn is_empty(payload: &SecurityPayload) -> bool {
    match payload {
        SecurityPayload::NetworkActivity(flows) => flows.is_empty(),
        SecurityPayload::ListeningPorts(ports) => ports.is_empty(),
        SecurityPayload::Recorded(event) => event.items.is_empty(),
        SecurityPayload::Heartbeat => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hilarm_model::RecordedEvent;

    use super::*;

    #[test]
    fn an_event_that_is_not_judged_keeps_its_name_category_and_type() {
        let (category, event_type) = (EventCategory::Triggered, EventType::Operational);
        let (name, items) = ("ConfigurationError".to_owned(), vec![]);
        let recorded = SecurityPayload::Recorded(RecordedEvent { name, category, event_type, items });
        assert_eq!(kind(&recorded), ("Triggered", "ConfigurationError", "Operational"));
        assert!(is_empty(&recorded));
    }
}
