//! The classic agent's JSON schema 1.0 (`spec/defender.md`, 1.3), for the events that FlatBuffers schema 2.3
//! does not have, or not with all they say. Encoding only; events are encoded one by one, so that a message can be
//! filled up to its limit. What each kind says is `payload`'s.

mod payload;

pub(crate) use payload::{BaselineCheck, Payload};

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::json;

/// An event, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// A GUID of its own.
    pub(crate) id: Guid,
    /// Unix seconds.
    pub(crate) time_s: i64,
    /// What happened.
    pub(crate) payload: Payload,
}

/// A GUID of version 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guid([u8; 16]);

impl Guid {
    /// A GUID of random bytes.
    pub(crate) fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }
}

impl core::fmt::Display for Guid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&index) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// One event as JSON.
pub(crate) fn encode_event(event: &Event) -> String {
    let (name, category, event_type) = event.payload.kind();
    let payload = event.payload.items();
    let time = timestamp(event.time_s);
    json!({
        "Id": event.id.to_string(),
        // The device keeps no time zone: local time is UTC.
        "TimestampLocal": time,
        "TimestampUTC": time,
        "Category": category,
        "Name": name,
        "EventType": event_type,
        "IsEmpty": payload.is_empty(),
        "PayloadSchemaVersion": "1.0",
        "Payload": payload,
    })
    .to_string()
}

/// A message of events that are JSON already; there must be one at least.
pub(crate) fn message(agent_id: Guid, version: &str, events: &[String]) -> Vec<u8> {
    let mut text = format!(
        r#"{{"AgentVersion":"{version}","AgentId":"{agent_id}","MessageSchemaVersion":"1.0","Events":["#
    );
    for (index, event) in events.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str(event);
    }
    text.push_str("]}");
    text.into_bytes()
}

/// ISO 8601 in UTC (H. Hinnant, "chrono-compatible low-level date algorithms").
fn timestamp(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn encoded(payload: Payload) -> Value {
        let event = Event { id: Guid::from_random([0xFF; 16]), time_s: 1_767_225_630, payload };
        serde_json::from_str(&encode_event(&event)).unwrap()
    }

    fn login(user: &str) -> Payload {
        Payload::Login {
            user: user.to_string(),
            success: false,
            executable: "/bin/login".to_string(),
            process_id: 4,
            remote_address: Some([192, 0, 2, 7]),
        }
    }

    #[test]
    fn an_event_has_every_required_field_and_no_other() {
        let event = encoded(login("root"));
        let mut names: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut required = [
            "Id",
            "TimestampLocal",
            "TimestampUTC",
            "Category",
            "Name",
            "EventType",
            "IsEmpty",
            "PayloadSchemaVersion",
            "Payload",
        ];
        required.sort_unstable();
        assert_eq!(names, required);
        assert_eq!(event["Id"], "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(event["TimestampUTC"], "2026-01-01T00:00:30Z");
        assert_eq!((&event["Category"], &event["IsEmpty"]), (&json!("Triggered"), &json!(false)));
    }

    #[test]
    fn an_event_of_no_items_says_that_it_is_empty() {
        let none = encoded(Payload::ListeningPorts { local_address: [10, 42, 0, 2], ports: Vec::new() });
        assert_eq!((&none["Category"], &none["IsEmpty"]), (&json!("Periodic"), &json!(true)));
        assert_eq!(none["Payload"], json!([]));
    }

    #[test]
    fn a_message_is_an_envelope_around_its_events() {
        let event = Event { id: Guid::from_random([1; 16]), time_s: 0, payload: login("root") };
        let events = [encode_event(&event), encode_event(&event)];
        let message: Value =
            serde_json::from_slice(&message(Guid::from_random([2; 16]), "0.1.0", &events)).unwrap();
        assert_eq!(message["AgentVersion"], "0.1.0");
        assert_eq!(message["AgentId"], "02020202-0202-4202-8202-020202020202");
        assert_eq!(message["MessageSchemaVersion"], "1.0");
        assert_eq!(message["Events"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn timestamps_are_right_over_leap_years_and_at_the_ends_of_the_calendar() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_709_208_000), "2024-02-29T12:00:00Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59Z");
        for unix_s in [i64::MIN / 1_000_000, i64::MAX / 1_000_000] {
            assert!(timestamp(unix_s).ends_with('Z'));
        }
    }
}
