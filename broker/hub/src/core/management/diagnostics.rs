//! Diagnostic settings of the hub (`Microsoft.Insights/diagnosticSettings/{name}`). Which resource logs a
//! setting enables is stored; every attempt to write or delete one is a fact.

use hilarm_model::{HubEvent, Now};
use serde_json::{Value, json};

use super::{answer, deleted, hub_id};
use crate::core::Core;
use crate::service::{Caller, HubError, ServiceReply};

/// IoT Hub's categories of resource logs, and the groups of them.
const CATEGORIES: [&str; 16] = [
    "Connections",
    "DeviceTelemetry",
    "C2DCommands",
    "DeviceIdentityOperations",
    "FileUploadOperations",
    "Routes",
    "D2CTwinOperations",
    "C2DTwinOperations",
    "TwinQueries",
    "JobsOperations",
    "DirectMethods",
    "DistributedTracing",
    "Configurations",
    "DeviceStreams",
    "allLogs",
    "audit",
];

/// Azure takes five settings a resource.
const SETTINGS_MAX: usize = 5;

impl Core {
    pub(in crate::core) fn put_diagnostic_setting(
        &mut self,
        name: String,
        categories: Vec<String>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let outcome = self.check_setting(&name, &categories);
        let status = outcome.as_ref().map_or_else(HubError::status, |()| 200);
        let enabled_categories = if outcome.is_ok() { categories.clone() } else { Vec::new() };
        let (known, caller) = (name.clone(), caller.name.clone());
        let event = HubEvent::DiagnosticSettingWritten { name: known, status, enabled_categories, caller };
        self.record(event, now);
        outcome?;
        let body = setting(&hub_id(&self.config.host), &name, &categories);
        self.management.diagnostics.insert(name, categories);
        Ok(answer(200, body))
    }

    fn check_setting(&self, name: &str, categories: &[String]) -> Result<(), HubError> {
        if name.is_empty() || name.len() > 260 || name.contains(['<', '>', '*', '&', '?', '/', '\\']) {
            return Err(HubError::ArgumentInvalid(format!("{name:?} names no diagnostic setting")));
        }
        if let Some(unknown) = categories.iter().find(|category| !CATEGORIES.contains(&category.as_str())) {
            return Err(HubError::ArgumentInvalid(format!("category {unknown:?} is not supported")));
        }
        let settings = &self.management.diagnostics;
        if !settings.contains_key(name) && settings.len() >= SETTINGS_MAX {
            let why = format!("a resource has at most {SETTINGS_MAX} diagnostic settings");
            return Err(HubError::ArgumentInvalid(why));
        }
        Ok(())
    }

    pub(in crate::core) fn delete_diagnostic_setting(
        &mut self,
        name: String,
        caller: &Caller,
        now: Now,
    ) -> ServiceReply {
        let existed = self.management.diagnostics.remove(&name).is_some();
        let (status, caller) = (if existed { 200 } else { 204 }, caller.name.clone());
        self.record(HubEvent::DiagnosticSettingDeleted { name, status, existed, caller }, now);
        deleted(existed)
    }
}

fn setting(hub: &str, name: &str, categories: &[String]) -> Value {
    let log = |category: &String| {
        let group = matches!(category.as_str(), "allLogs" | "audit");
        let kind = if group { "categoryGroup" } else { "category" };
        json!({ kind: category, "enabled": true })
    };
    json!({
        "id": format!("{hub}/providers/Microsoft.Insights/diagnosticSettings/{name}"),
        "name": name,
        "type": "Microsoft.Insights/diagnosticSettings",
        "properties": { "logs": categories.iter().map(log).collect::<Vec<_>>(), "metrics": [] },
    })
}
