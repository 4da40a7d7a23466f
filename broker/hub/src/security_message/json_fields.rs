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
    use hilarm_model::SecurityPayload;
    use serde_json::json;

    use super::super::json_payload::decode_payload;

    #[test]
    fn a_documented_kind_is_checked_and_recorded_by_its_name() {
        let rule = |action: &str| json!({ "Enabled": true, "Action": action });
        let recorded = decode_payload("FirewallConfiguration", &[rule("Allow")]);
        assert_eq!(recorded, Ok(vec![SecurityPayload::Other("FirewallConfiguration".into())]));
        assert!(decode_payload("FirewallConfiguration", &[rule("Perhaps")]).is_err());
        assert!(decode_payload("MessageStatistics", &[json!({ "MessagesSent": 1 })]).is_err());
    }

    #[test]
    fn an_undocumented_kind_is_recorded_whatever_it_holds() {
        let recorded = decode_payload("Weather", &[json!({ "Rain": true })]);
        assert_eq!(recorded, Ok(vec![SecurityPayload::Other("Weather".into())]));
    }
}
