//! Security solutions (`Microsoft.Security/iotSecuritySolutions`): which recommendations are wanted. They are
//! checked, completed and kept, and what they switch off is a fact; nothing of the hub depends on them.

use std::collections::{BTreeMap, BTreeSet};

use hilarm_model::{HubEvent, Now};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{answer, deleted, hub_id, written};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

/// Azure's recommendation types with the names that it shows; the last is hilarm's, for Azure publishes none for
/// diagnostics logs.
const RECOMMENDATIONS: [(&str, &str); 17] = [
    ("IoT_ACRAuthentication", "Service Principal Not Used with ACR"),
    ("IoT_AgentSendsUnutilizedMessages", "Agent sending underutilized messages"),
    ("IoT_Baseline", "Operating system (OS) baseline validation failure"),
    ("IoT_EdgeHubMemOptimize", "Edge Hub memory can be optimized"),
    ("IoT_EdgeLoggingOptions", "No logging configured for Edge module"),
    ("IoT_InconsistentModuleSettings", "Module Settings Inconsistent"),
    ("IoT_InstallAgent", "Install the Azure Security of Things Agent"),
    ("IoT_IPFilter_DenyAll", "Default IP filter policy should be Deny"),
    ("IoT_IPFilter_PermissiveRule", "IP filter rule includes large IP range"),
    ("IoT_OpenPorts", "Device has open ports"),
    ("IoT_PermissiveFirewallPolicy", "Permissive firewall policy in one of the chains was found"),
    ("IoT_PermissiveInputFirewallRules", "Permissive firewall rule in the input chain was found"),
    ("IoT_PermissiveOutputFirewallRules", "Permissive firewall rule in the output chain was found"),
    ("IoT_PrivilegedDockerOptions", "High level permissions configured in Edge model twin for Edge module"),
    ("IoT_SharedCredentials", "Same authentication credentials used by multiple devices"),
    ("IoT_VulnerableTLSCipherSuite", "TLS cipher suite upgrade needed"),
    ("IoT_DiagnosticsMode", "Diagnostics logs are switched off"),
];

/// What a solution holds of each property that a body may leave out.
fn defaults() -> [(&'static str, Value); 6] {
    [
        ("status", "Enabled".into()),
        ("unmaskedIpLoggingStatus", "Disabled".into()),
        ("export", json!([])),
        ("disabledDataSources", json!([])),
        ("additionalWorkspaces", json!([])),
        ("workspace", Value::Null),
    ]
}

/// Properties with a small set of values, alone or in a list.
const WORDS: [(&str, &[&str]); 4] = [
    ("status", &["Enabled", "Disabled"]),
    ("unmaskedIpLoggingStatus", &["Enabled", "Disabled"]),
    ("export", &["RawEvents"]),
    ("disabledDataSources", &["TwinData"]),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecommendation {
    recommendation_type: String,
    status: Status,
}

#[derive(Clone, Copy, Deserialize)]
enum Status {
    Enabled,
    Disabled,
}

/// The body's properties, completed: every recommendation is in them, and what is not stated is enabled.
fn complete(mut json: Value) -> Result<Value, HubError> {
    let invalid = |why: &str| HubError::ArgumentInvalid(why.into());
    let properties = json.get_mut("properties").map(Value::take).unwrap_or_default();
    let Value::Object(mut properties) = properties else { return Err(invalid("properties is no object")) };
    let text = |key: &str| properties.get(key).is_some_and(Value::is_string);
    if !text("displayName") || !properties.get("iotHubs").is_some_and(Value::is_array) {
        return Err(invalid("displayName and iotHubs are required"));
    }
    let stated = properties.remove("recommendationsConfiguration").unwrap_or_else(|| json!([]));
    let stated: Vec<RawRecommendation> =
        serde_json::from_value(stated).map_err(|why| HubError::ArgumentInvalid(why.to_string()))?;
    let mut statuses: BTreeMap<&str, Status> = BTreeMap::new();
    for raw in &stated {
        if !RECOMMENDATIONS.iter().any(|(known, _)| *known == raw.recommendation_type) {
            return Err(invalid(&format!("there is no recommendation {:?}", raw.recommendation_type)));
        }
        statuses.insert(&raw.recommendation_type, raw.status);
    }
    let all = RECOMMENDATIONS.map(|(kind, name)| {
        let disabled = matches!(statuses.get(kind), Some(Status::Disabled));
        let status = if disabled { "Disabled" } else { "Enabled" };
        json!({ "recommendationType": kind, "name": name, "status": status })
    });
    properties.insert("recommendationsConfiguration".into(), json!(all));
    for (key, value) in defaults() {
        properties.entry(key).or_insert(value);
    }
    check_words(&properties)?;
    let discovered = properties.get("iotHubs").cloned().unwrap_or_default();
    properties.insert("autoDiscoveredResources".into(), discovered);
    Ok(Value::Object(properties))
}

/// The recommendation types that completed properties switch off.
fn disabled(properties: &Value) -> BTreeSet<String> {
    let all_off = properties["status"] == "Disabled";
    let each = properties["recommendationsConfiguration"].as_array().into_iter().flatten();
    let off = each.filter(|one| all_off || one["status"] == "Disabled");
    off.filter_map(|one| one["recommendationType"].as_str()).map(str::to_owned).collect()
}

fn check_words(properties: &Map<String, Value>) -> Result<(), HubError> {
    for (key, words) in WORDS {
        let known = |value: &Value| value.as_str().is_some_and(|word| words.contains(&word));
        let sound = match properties.get(key) {
            Some(Value::Array(values)) => values.iter().all(known),
            Some(value) => known(value),
            None => true,
        };
        if !sound {
            return Err(HubError::ArgumentInvalid(format!("{key} is none of {}", words.join(", "))));
        }
    }
    Ok(())
}

impl Core {
    pub(in crate::core) fn put_security_solution(
        &mut self,
        name: &str,
        json: Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let properties = complete(json)?;
        let disabled = disabled(&properties);
        let existed = self.management.security_solutions.insert(name.to_owned(), properties).is_some();
        self.record(HubEvent::SecuritySolutionConfigured { name: name.to_owned(), disabled }, now);
        self.security_solution_reply(name, written(existed))
    }

    /// Changes what the body states, and of the recommendations those that it names.
    pub(in crate::core) fn patch_security_solution(
        &mut self,
        name: &str,
        json: &Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let known = self.management.security_solutions.get(name);
        let mut properties = known.cloned().ok_or_else(|| HubError::ResourceNotFound(name.to_owned()))?;
        let stated = json.get("properties").and_then(Value::as_object);
        let stated = stated.ok_or_else(|| HubError::ArgumentInvalid("properties is no object".into()))?;
        for (key, value) in stated {
            match (key.as_str(), properties.get_mut(key), value) {
                // Of two about the same type the later one holds.
                ("recommendationsConfiguration", Some(Value::Array(known)), Value::Array(stated)) => {
                    known.extend(stated.iter().cloned());
                }
                _ => properties[key] = value.clone(),
            }
        }
        self.put_security_solution(name, json!({ "properties": properties }), now)
    }

    pub(in crate::core) fn security_solution_reply(
        &self,
        name: &str,
        status: u16,
    ) -> Result<ServiceReply, HubError> {
        let Some(properties) = self.management.security_solutions.get(name) else {
            return Err(HubError::ResourceNotFound(name.to_owned()));
        };
        let kind = "Microsoft.Security/iotSecuritySolutions";
        let group = hub_id(&self.config.host);
        let group = group.split("/providers/").next().unwrap_or_default().to_owned();
        let id = format!("{group}/providers/{kind}/{name}");
        Ok(answer(status, json!({ "id": id, "name": name, "type": kind, "properties": properties })))
    }

    pub(in crate::core) fn delete_security_solution(&mut self, name: &str, now: Now) -> ServiceReply {
        let existed = self.management.security_solutions.remove(name).is_some();
        if existed {
            self.record(HubEvent::SecuritySolutionRemoved { name: name.to_owned() }, now);
        }
        deleted(existed)
    }
}
