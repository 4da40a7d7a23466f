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
        let outcome = self.check_setting(&name, &categories).map(|()| categories);
        self.conclude_setting(name, outcome, caller, now)
    }

    pub(in crate::core) fn put_diagnostic_setting_json(
        &mut self,
        name: String,
        json: &Value,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let outcome = enabled_logs(json)
            .and_then(|categories| self.check_setting(&name, &categories).map(|()| categories));
        self.conclude_setting(name, outcome, caller, now)
    }

    /// Records an attempt, and keeps what is sound.
    fn conclude_setting(
        &mut self,
        name: String,
        outcome: Result<Vec<String>, HubError>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let status = outcome.as_ref().map_or_else(HubError::status, |_| 200);
        let enabled_categories = outcome.clone().unwrap_or_default();
        let (known, caller) = (name.clone(), caller.name.clone());
        let event = HubEvent::DiagnosticSettingWritten { name: known, status, enabled_categories, caller };
        self.record(event, now);
        self.management.diagnostics.insert(name.clone(), outcome?);
        self.diagnostic_setting_reply(&name)
    }

    pub(in crate::core) fn diagnostic_setting_reply(&self, name: &str) -> Result<ServiceReply, HubError> {
        let Some(categories) = self.management.diagnostics.get(name) else {
            return Err(HubError::ResourceNotFound(name.to_owned()));
        };
        Ok(answer(200, setting(&hub_id(&self.config.host), name, categories)))
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

/// The categories and groups that a body enables.
fn enabled_logs(json: &Value) -> Result<Vec<String>, HubError> {
    let invalid = |why: &str| HubError::ArgumentInvalid(format!("properties.logs: {why}"));
    let logs = json.pointer("/properties/logs").and_then(Value::as_array);
    let mut enabled = Vec::new();
    for log in logs.ok_or_else(|| invalid("is no list"))? {
        let name = log.get("category").or_else(|| log.get("categoryGroup")).and_then(Value::as_str);
        let name = name.ok_or_else(|| invalid("a log has neither category nor categoryGroup"))?;
        match log.get("enabled") {
            Some(Value::Bool(true)) => enabled.push(name.to_owned()),
            Some(Value::Bool(false)) => {}
            _ => return Err(invalid("enabled is no boolean")),
        }
    }
    Ok(enabled)
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
