//! What the documented kinds of JSON schema 1.0 require that no detection judges yet. A kind that is not
//! documented has no requirements.

use serde_json::Value;

use super::json_payload::Item;

/// What a required field holds.
#[derive(Clone, Copy)]
enum Required {
    Text,
    /// A number, or text in its place.
    Number,
    Bool,
    OneOf(&'static [&'static str]),
}

use Required::{Bool, Number, OneOf, Text};

/// The required fields of a kind.
fn required(kind: &str) -> &'static [(&'static str, Required)] {
    const ACTIONS: Required = OneOf(&["Allow", "Deny", "Other"]);
    const RESULTS: Required = OneOf(&["Pass", "Fail", "Err"]);
    const SEVERITIES: Required = OneOf(&["Critical", "Important", "Warning", "Informational"]);
    const ERRORS: Required = OneOf(&["TypeMismatch", "NotOptimal", "Conflict"]);
    const QUEUES: Required = OneOf(&["High", "Low"]);
    match kind {
        "ProcessTerminate" => &[("Executable", Text), ("ProcessId", Number), ("ExitStatus", Number)],
        "FirewallConfiguration" => &[("Enabled", Bool), ("Action", ACTIONS)],
        "LocalUsers" => &[("GroupIds", Text), ("GroupNames", Text), ("UserId", Number), ("UserName", Text)],
        "ConnectedHardware" => {
            &[("HardwareCategory", Text), ("HardwareSubCategory", Text), ("HardwareName", Text)]
        }
        "OSBaseline" => &[
            ("Description", Text),
            ("CceId", Text),
            ("Result", RESULTS),
            ("Error", Text),
            ("Severity", SEVERITIES),
        ],
        "Diagnostic" => &[("Severity", Text), ("Message", Text), ("ProcessId", Number), ("ThreadId", Number)],
        "ConfigurationError" => &[
            ("ConfigurationName", Text),
            ("ErrorType", ERRORS),
            ("UsedConfiguration", Text),
            ("Message", Text),
        ],
        "DroppedEventsStatistics" => {
            &[("Queue", QUEUES), ("CollectedEvents", Number), ("DroppedEvents", Number)]
        }
        "MessageStatistics" => {
            &[("MessagesSent", Number), ("MessagesUnder4KB", Number), ("TotalFailed", Number)]
        }
        _ => &[],
    }
}

/// Checks an item against its kind.
pub(super) fn check(item: &Item<'_>) -> Result<(), String> {
    required(item.kind()).iter().try_for_each(|(name, holds)| {
        let value = item.required(name)?;
        let (right, expected) = match holds {
            Text => (value.is_string(), "text"),
            Number => (value.is_number() || value.is_string(), "a number"),
            Bool => (value.is_boolean(), "true or false"),
            OneOf(words) => (is_one_of(value, words), "a word of the schema"),
        };
        if right { Ok(()) } else { Err(item.wrong(name, expected)) }
    })
}

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

#[cfg(test)]
mod tests {
    use hilarm_model::{EventCategory, EventType, RecordedEvent, SecurityPayload};
    use serde_json::{Value, json};

    use super::super::budget::Budget;
    use super::super::json_payload::{Kind, decode_payload};

    fn recorded(name: &str, payload: &[Value]) -> Result<RecordedEvent, String> {
        let kind = Kind { name, category: EventCategory::Periodic, event_type: EventType::Security };
        match decode_payload(kind, payload, &Budget::of(4096))?.remove(0) {
            SecurityPayload::Recorded(event) => Ok(event),
            other => panic!("{other:?}"),
        }
    }

    /// One item of each kind, with all that it must have.
    fn samples() -> [(&'static str, Value); 9] {
        [
            ("ProcessTerminate", json!({ "Executable": "/tmp/miner", "ProcessId": 9, "ExitStatus": 143 })),
            ("FirewallConfiguration", json!({ "Enabled": true, "Action": "Deny" })),
            ("LocalUsers", json!({ "GroupIds": "0", "GroupNames": "root", "UserId": 0, "UserName": "root" })),
            (
                "ConnectedHardware",
                json!({ "HardwareCategory": "USB", "HardwareSubCategory": "Storage", "HardwareName": "x" }),
            ),
            (
                "OSBaseline",
                json!({
                    "Description": "the firewall is on", "CceId": "1", "Result": "Fail", "Error": "",
                    "Severity": "Critical",
                }),
            ),
            ("Diagnostic", json!({ "Severity": "Warn", "Message": "m", "ProcessId": 2, "ThreadId": 0 })),
            (
                "ConfigurationError",
                json!({
                    "ConfigurationName": "x", "ErrorType": "Conflict", "UsedConfiguration": "y", "Message": "m",
                }),
            ),
            ("DroppedEventsStatistics", json!({ "Queue": "High", "CollectedEvents": 3, "DroppedEvents": 1 })),
            ("MessageStatistics", json!({ "MessagesSent": 3, "MessagesUnder4KB": 2, "TotalFailed": 0 })),
        ]
    }

    #[test]
    fn each_documented_kind_is_recorded_whole_and_refused_without_any_of_its_fields() {
        for (name, sample) in samples() {
            let event = recorded(name, std::slice::from_ref(&sample)).unwrap();
            let fields = sample.as_object().unwrap();
            assert_eq!((event.name.as_str(), event.items[0].len()), (name, fields.len()));
            for field in fields.keys() {
                let mut item = sample.clone();
                item.as_object_mut().unwrap().remove(field);
                let complaint = recorded(name, &[item]).unwrap_err();
                assert_eq!(complaint, format!("{name}: {field} is missing"));
            }
        }
    }

    #[test]
    fn a_field_that_holds_something_else_is_refused_by_name() {
        for (name, field, wrong) in [
            ("FirewallConfiguration", "Action", json!("Perhaps")),
            ("FirewallConfiguration", "Enabled", json!("true")),
            ("OSBaseline", "Result", json!("Error")),
            ("OSBaseline", "Severity", json!("High")),
            ("DroppedEventsStatistics", "Queue", json!("Medium")),
            ("ConfigurationError", "ErrorType", json!("Typo")),
            ("LocalUsers", "UserName", json!(0)),
            ("ProcessTerminate", "ExitStatus", json!([0])),
        ] {
            let (_, mut item) = samples().into_iter().find(|(known, _)| *known == name).unwrap();
            item[field] = wrong;
            let complaint = recorded(name, &[item]).unwrap_err();
            assert!(complaint.starts_with(&format!("{name}: {field} is not ")), "{complaint}");
        }
    }

    #[test]
    fn an_undocumented_kind_is_recorded_whatever_it_holds() {
        let event = recorded("Weather", &[json!({ "Rain": true, "Wind": { "Beaufort": 7 }, "Sun": null })]);
        let items = event.unwrap().items;
        let said: Vec<_> = items[0].iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!(said, [("Rain", "true"), ("Wind", r#"{"Beaufort":7}"#)]);
    }
}
