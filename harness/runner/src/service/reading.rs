//! Steps that read: what the hub answers must hold what the step states.

use hilarm_hub::{DeviceView, ManagedReply, ServiceReply, ServiceRequest};
use hilarm_scenario::{GetResource, Step};
use serde_json::{Map, Value, json};

use super::{Served, ask};
use crate::world::World;

/// Carries out a step that reads.
pub(super) fn read(step: Step, world: &mut World) -> Result<Served, String> {
    let named = |get: GetResource, request: fn(String) -> ServiceRequest| {
        (get.caller, get.refused, get.contains, request(get.name))
    };
    let (by, refused, contains, request) = match step {
        Step::GetDevice(get) => {
            (get.caller, get.refused, get.contains, ServiceRequest::GetDevice { device: get.device })
        }
        Step::GetTwin(get) => {
            let (device, module) = (get.device, get.module);
            (get.caller, get.refused, get.contains, ServiceRequest::GetTwin { device, module })
        }
        Step::GetHub(get) => (get.caller, get.refused, get.contains, ServiceRequest::GetHubProperties),
        Step::GetCertificate(get) => named(get, |name| ServiceRequest::GetCertificate { name }),
        Step::GetDiagnosticSetting(get) => named(get, |name| ServiceRequest::GetDiagnosticSetting { name }),
        Step::GetSecurityGroup(get) => named(get, |name| ServiceRequest::GetSecurityGroup { name }),
        Step::GetSecuritySolution(get) => named(get, |name| ServiceRequest::GetSecuritySolution { name }),
        step => return Ok(Served::NotMine(step)),
    };
    let Some(reply) = ask(by.as_deref(), refused, request, world)? else { return Ok(Served::Done) };
    let answer = shown(reply);
    match missing(&Value::from(contains), &answer, "") {
        None => Ok(Served::Done),
        Some(missing) => Err(format!("the hub's answer does not hold {missing}; it is {answer}")),
    }
}

/// An answer as Azure writes it; of a resource its properties.
fn shown(reply: ServiceReply) -> Value {
    match reply {
        ServiceReply::Managed(ManagedReply { mut body, .. }) => {
            body.get_mut("properties").map(Value::take).unwrap_or_default()
        }
        ServiceReply::Twin(twin) => twin,
        ServiceReply::Device(DeviceView { device, etag, enabled, connected, cloud_to_device_messages }) => {
            json!({
                "deviceId": device,
                "etag": etag,
                "status": if enabled { "enabled" } else { "disabled" },
                "connectionState": if connected { "Connected" } else { "Disconnected" },
                "cloudToDeviceMessageCount": cloud_to_device_messages,
            })
        }
        _ => Value::Object(Map::new()),
    }
}

/// The first part of what is wanted that an answer does not hold.
fn missing(wanted: &Value, answer: &Value, at: &str) -> Option<String> {
    match (wanted, answer) {
        (Value::Object(wanted), Value::Object(answer)) => wanted.iter().find_map(|(key, wanted)| {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match answer.get(key) {
                None => Some(format!("`{at}`")),
                Some(answer) => missing(wanted, answer, &at),
            }
        }),
        (Value::Array(wanted), Value::Array(answer)) => {
            let holds = |item: &&Value| answer.iter().any(|answer| missing(item, answer, at).is_none());
            wanted.iter().find(|item| !holds(item)).map(|item| format!("`{at}: [{item}]`"))
        }
        _ => (wanted != answer).then(|| format!("`{at}: {wanted}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_what_is_stated_and_may_hold_more() {
        let answer =
            json!({ "rules": [{ "name": "a", "mask": "10.0.0.0/8" }, { "name": "b" }], "state": "Active" });
        for held in [
            json!({}),
            json!({ "state": "Active" }),
            json!({ "rules": [{ "name": "b" }, { "name": "a" }] }),
            json!({ "rules": [] }),
        ] {
            assert_eq!(missing(&held, &answer, ""), None, "{held}");
        }
    }

    #[test]
    fn what_an_answer_does_not_hold_is_named_by_its_place() {
        let answer = json!({ "hub": { "rules": [{ "name": "a" }], "state": "Active" } });
        for (wanted, named) in [
            (json!({ "hub": { "state": "Off" } }), r#"`hub.state: "Off"`"#),
            (json!({ "hub": { "rules": [{ "name": "c" }] } }), r#"`hub.rules: [{"name":"c"}]`"#),
            (json!({ "hub": { "mode": 1 } }), "`hub.mode`"),
            (json!({ "hub": [] }), "`hub: []`"),
        ] {
            assert_eq!(missing(&wanted, &answer, "").as_deref(), Some(named));
        }
    }
}
