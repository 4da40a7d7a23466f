//! Steps of the management plane: certificates, diagnostic settings, network rules, the hub's properties, and what
//! Defender is configured with.

use std::collections::BTreeMap;

use hilarm_defender::detection;
use hilarm_hub::{ManagedReply, ServiceReply, ServiceRequest};
use hilarm_link::X509Credential;
use hilarm_model::{FilterRule, NetworkRules, ThreatList, Tuning};
use hilarm_scenario::{
    FilterAction, NetworkRuleSpec, PutCertificate, PutHubProperties, SecuritySolutionSpec, SetIpFilter, Step,
    Switch, TellingSpec, TuneDefender, VerifyCertificate,
};
use serde_json::{Map, Value, json};

use super::{Asked, Served, ask, caller};
use crate::provision::{proof_of_possession, security_group};
use crate::world::World;

/// Bytes that are no certificate.
const NO_CERTIFICATE: &[u8] = b"no certificate";

/// What a step asks of the management plane whose refusal nobody expects unless the step says so.
pub(super) fn asked(step: Step) -> Result<Result<Asked, Step>, String> {
    let (by, refused, request) = match step {
        Step::PutSecurityGroup(put) => {
            let group = security_group(&put.rules).map_err(|error| error.to_string())?;
            (put.caller, None, ServiceRequest::PutSecurityGroup { name: put.name, group })
        }
        Step::DeleteSecurityGroup(delete) => {
            (delete.caller, delete.refused, ServiceRequest::DeleteSecurityGroup { name: delete.name })
        }
        Step::PutSecuritySolution(put) => {
            let json = security_solution(&put.name, put.status, &put.recommendations);
            (put.caller, put.refused, ServiceRequest::PutSecuritySolutionJson { name: put.name, json })
        }
        Step::PatchSecuritySolution(patch) => {
            let json = patched_solution(&patch);
            (
                patch.caller,
                patch.refused,
                ServiceRequest::PatchSecuritySolutionJson { name: patch.name, json },
            )
        }
        Step::DeleteSecuritySolution(delete) => {
            (delete.caller, delete.refused, ServiceRequest::DeleteSecuritySolution { name: delete.name })
        }
        Step::GenerateVerificationCode(step) => {
            (step.caller, step.refused, ServiceRequest::GenerateVerificationCode { name: step.name })
        }
        Step::LoadThreatIntelligence(load) => {
            (None, None, ServiceRequest::LoadThreatList(ThreatList { networks: load.networks }))
        }
        Step::TuneDefender(tune) => (None, None, ServiceRequest::TuneDefender(tuning(tune))),
        step => return Ok(Err(step)),
    };
    Ok(Ok(Asked { by, refused, request }))
}

fn tuning(tune: TuneDefender) -> Tuning {
    let default = Tuning::default();
    Tuning {
        include_device_twins: tune.include_device_twins.unwrap_or(default.include_device_twins),
        allowed_network_addresses_max: tune
            .allowed_network_addresses_max
            .unwrap_or(default.allowed_network_addresses_max),
    }
}

/// Steps whose refusal is a fact like their success.
pub(super) fn attempt(
    step: Step,
    certificates: &BTreeMap<String, X509Credential>,
    world: &mut World,
) -> Result<Served, String> {
    let (by, request) = match step {
        Step::PutCertificate(put) => {
            let certificate = certificate(&put, certificates)?;
            let (name, verified, if_match) = (put.name, put.verified, put.if_match);
            (put.caller, ServiceRequest::PutCertificate { name, certificate, verified, if_match })
        }
        Step::VerifyCertificate(verify) => {
            let certificate = proof(&verify, world)?;
            let (name, if_match) = (verify.name, verify.if_match);
            (verify.caller, ServiceRequest::VerifyCertificate { name, certificate, if_match })
        }
        Step::DeleteCertificate(delete) => {
            let (name, if_match) = (delete.name, delete.if_match);
            (delete.caller, ServiceRequest::DeleteCertificate { name, if_match })
        }
        Step::PutDiagnosticSetting(put) => {
            let (name, categories) = (put.name, put.categories);
            (put.caller, ServiceRequest::PutDiagnosticSetting { name, categories })
        }
        Step::DeleteDiagnosticSetting(delete) => {
            (delete.caller, ServiceRequest::DeleteDiagnosticSetting { name: delete.name })
        }
        Step::SetNetworkRules(set) => {
            (set.caller, ServiceRequest::SetNetworkRules(network_rules(set.default_action, &set.rules)))
        }
        step => return Ok(Served::NotMine(step)),
    };
    let caller = caller(by.as_deref(), world)?;
    // A refusal is an outcome: the hub has recorded it.
    Ok(world.service_as(&caller, request).map_or(Served::Done, |_| Served::Done))
}

fn certificate(
    put: &PutCertificate,
    certificates: &BTreeMap<String, X509Credential>,
) -> Result<Vec<u8>, String> {
    match certificates.get(&put.certificate) {
        Some(known) => Ok(known.certificate.clone()),
        None if put.certificate == "invalid" => Ok(NO_CERTIFICATE.to_vec()),
        None => Err(format!("no certificate `{}` in the scenario", put.certificate)),
    }
}

/// The certificate that proves possession: it names the code that the step states, or the one that the hub shows.
fn proof(verify: &VerifyCertificate, world: &mut World) -> Result<Vec<u8>, String> {
    let code = match &verify.code {
        Some(code) => code.clone(),
        None => shown_code(verify, world)?,
    };
    let header = world.journal().header();
    proof_of_possession(&header.scenario, &verify.signed_by, &code, header.seed)
        .map_err(|error| error.to_string())
}

/// The code as far as the caller may read it. Without one the hub refuses whatever the proof names.
fn shown_code(verify: &VerifyCertificate, world: &mut World) -> Result<String, String> {
    let caller = caller(verify.caller.as_deref(), world)?;
    let known = world.service_as(&caller, ServiceRequest::GetCertificate { name: verify.name.clone() });
    let body = match known {
        Ok(ServiceReply::Managed(ManagedReply { body, .. })) => body,
        _ => Value::Null,
    };
    Ok(body["properties"]["verificationCode"].as_str().unwrap_or("none").to_owned())
}

/// Network rules as the hub keeps them.
pub(crate) fn network_rules(default: FilterAction, rules: &[NetworkRuleSpec]) -> NetworkRules {
    let action = |action| match action {
        FilterAction::Allow => hilarm_model::FilterAction::Allow,
        FilterAction::Deny => hilarm_model::FilterAction::Deny,
    };
    let rule = |rule: &NetworkRuleSpec| FilterRule {
        name: rule.name.clone(),
        action: action(rule.action),
        network: rule.network,
    };
    NetworkRules { default_action: action(default), rules: rules.iter().map(rule).collect(), stated: true }
}

/// A security solution as Azure's JSON.
pub(crate) fn security_solution(
    name: &str,
    status: Option<Switch>,
    recommendations: &BTreeMap<String, Switch>,
) -> Value {
    json!({ "properties": {
        "displayName": name,
        "iotHubs": [],
        "status": status.map_or("Enabled", word),
        "recommendationsConfiguration": configured(recommendations),
    }})
}

fn patched_solution(patch: &SecuritySolutionSpec) -> Value {
    let mut properties = Map::new();
    if let Some(status) = patch.status {
        properties.insert("status".to_owned(), word(status).into());
    }
    properties.insert("recommendationsConfiguration".to_owned(), configured(&patch.recommendations));
    json!({ "properties": properties })
}

fn configured(recommendations: &BTreeMap<String, Switch>) -> Value {
    let each = recommendations.iter().filter_map(|(slug, switch)| {
        let kind = detection(slug)?.alert_type;
        Some(json!({ "recommendationType": kind, "status": word(*switch) }))
    });
    each.collect()
}

fn word(switch: Switch) -> &'static str {
    match switch {
        Switch::Enabled => "Enabled",
        Switch::Disabled => "Disabled",
    }
}

pub(super) fn put_hub_properties(put: &PutHubProperties, world: &mut World) -> Result<Served, String> {
    change_hub(put.caller.as_deref(), put.refused, world, |properties| change(properties, put))
}

/// Azure takes one model of network rules or the other.
pub(super) fn set_ip_filter(set: &SetIpFilter, world: &mut World) -> Result<Served, String> {
    let filter = |rule: &NetworkRuleSpec| {
        let action = if rule.action == FilterAction::Allow { "Accept" } else { "Reject" };
        json!({ "filterName": rule.name, "action": action, "ipMask": rule.network.to_string() })
    };
    let filters: Value = set.rules.iter().map(filter).collect();
    change_hub(set.caller.as_deref(), set.refused, world, |properties| {
        properties["networkRuleSets"] = Value::Null;
        properties["ipFilterRules"] = filters;
    })
}

/// A PUT replaces everything, so what is there is read first: by the owner, for the step is about who may write.
fn change_hub(
    by: Option<&str>,
    refused: Option<u32>,
    world: &mut World,
    change: impl FnOnce(&mut Value),
) -> Result<Served, String> {
    let read = world.service(ServiceRequest::GetHubProperties).map_err(|error| error.to_string())?;
    let ServiceReply::Managed(ManagedReply { body: mut json, .. }) = read else {
        return Err("the hub did not tell its properties".to_owned());
    };
    change(&mut json["properties"]);
    ask(by, refused, ServiceRequest::PutHubPropertiesJson { json }, world).map(|_| Served::Done)
}

fn change(properties: &mut Value, put: &PutHubProperties) {
    let messages = &mut properties["cloudToDevice"];
    if let Some(count) = put.max_delivery_count {
        messages["maxDeliveryCount"] = count.into();
    }
    if let Some(ttl) = put.default_ttl {
        messages["defaultTtlAsIso8601"] = iso8601(ttl.0).into();
    }
    tell(&mut messages["feedback"], put.feedback);
    tell(&mut properties["messagingEndpoints"]["fileNotifications"], put.file_notifications);
    if let Some(notify) = put.notify_of_file_uploads {
        properties["enableFileUploadNotifications"] = notify.into();
    }
}

fn tell(properties: &mut Value, spec: TellingSpec) {
    if let Some(ttl) = spec.ttl {
        properties["ttlAsIso8601"] = iso8601(ttl.0).into();
    }
    if let Some(lock) = spec.lock {
        properties["lockDurationAsIso8601"] = iso8601(lock.0).into();
    }
    if let Some(count) = spec.max_delivery_count {
        properties["maxDeliveryCount"] = count.into();
    }
}

fn iso8601(span: std::time::Duration) -> String {
    format!("PT{}S", span.as_secs())
}
