//! Security solutions (`Microsoft.Security/iotSecuritySolutions`): which recommendations are wanted. They are
//! checked, completed and kept; nothing of the hub depends on them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer, deleted, written};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

/// Azure's recommendation types; the last is hilarm's, for Azure publishes none for diagnostics logs.
const RECOMMENDATIONS: [&str; 17] = [
    "IoT_ACRAuthentication",
    "IoT_AgentSendsUnutilizedMessages",
    "IoT_Baseline",
    "IoT_EdgeHubMemOptimize",
    "IoT_EdgeLoggingOptions",
    "IoT_InconsistentModuleSettings",
    "IoT_InstallAgent",
    "IoT_IPFilter_DenyAll",
    "IoT_IPFilter_PermissiveRule",
    "IoT_OpenPorts",
    "IoT_PermissiveFirewallPolicy",
    "IoT_PermissiveInputFirewallRules",
    "IoT_PermissiveOutputFirewallRules",
    "IoT_PrivilegedDockerOptions",
    "IoT_SharedCredentials",
    "IoT_VulnerableTLSCipherSuite",
    "IoT_DiagnosticsMode",
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

/// The body's properties with every recommendation in them; what is not stated is enabled.
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
        if !RECOMMENDATIONS.contains(&raw.recommendation_type.as_str()) {
            return Err(invalid(&format!("there is no recommendation {:?}", raw.recommendation_type)));
        }
        statuses.insert(&raw.recommendation_type, raw.status);
    }
    let all = RECOMMENDATIONS.map(|kind| {
        let disabled = matches!(statuses.get(kind), Some(Status::Disabled));
        json!({ "recommendationType": kind, "status": if disabled { "Disabled" } else { "Enabled" } })
    });
    properties.insert("recommendationsConfiguration".into(), json!(all));
    properties.entry("status").or_insert_with(|| "Enabled".into());
    Ok(Value::Object(properties))
}

impl Core {
    pub(in crate::core) fn put_security_solution(
        &mut self,
        name: &str,
        json: Value,
    ) -> Result<ServiceReply, HubError> {
        let properties = complete(json)?;
        let existed = self.management.security_solutions.insert(name.to_owned(), properties).is_some();
        self.security_solution_reply(name, written(existed))
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
        Ok(answer(status, json!({ "name": name, "type": kind, "properties": properties })))
    }

    pub(in crate::core) fn delete_security_solution(&mut self, name: &str) -> ServiceReply {
        deleted(self.management.security_solutions.remove(name).is_some())
    }
}
