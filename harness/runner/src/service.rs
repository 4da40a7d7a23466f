//! Steps of the hub's service side and of its management plane: what a back end or an operator asks of the
//! hub, and what a step makes of the answer.

use std::collections::BTreeMap;

use hilarm_hub::{Caller, Feedback, HubError, KeyName, MethodTicket, ServiceReply, ServiceRequest};
use hilarm_link::X509Credential;
use hilarm_model::{FilterRule, NetworkRules, ThreatList};
use hilarm_scenario::{
    Acknowledgement, CallerSpec, FeedbackOutcome, FilterAction, InvokeMethod, KeySpec, NetworkRuleSpec,
    PutCertificate, SendCloudToDevice, Step, TakeFeedback,
};

use crate::journal::HarnessRecord;
use crate::provision::{security_group, shared_keys};
use crate::world::World;

/// Bytes that are no certificate.
const NO_CERTIFICATE: &[u8] = b"no certificate";

/// What a step of the service side came to.
pub(crate) enum Served {
    /// The step is over.
    Done,
    /// A direct method is under way.
    Method(MethodTicket),
    /// The step is not of the service side.
    NotMine(Step),
}

/// Carries out a step of the service side or the management plane. An error is the scenario's: the hub
/// refused what nobody said that it would, or served what it was to refuse.
pub(crate) fn serve(
    path: &str,
    step: Step,
    certificates: &BTreeMap<String, X509Credential>,
    world: &mut World,
) -> Result<Served, String> {
    let (by, refused, request) = match step {
        Step::InvokeMethod(invoke) => return invoke_method(invoke, world),
        Step::SendCloudToDevice(send) => return send_cloud_to_device(path, &send, world),
        Step::TakeFeedback(take) => return take_feedback(&take, world),
        Step::PatchDesired(step) => {
            let (device, module, patch) = (step.device, step.module, step.properties.into());
            (step.caller, step.refused, ServiceRequest::PatchDesired { device, module, patch })
        }
        Step::PatchTags(step) => {
            let (device, module, patch) = (step.device, step.module, step.tags.into());
            (step.caller, step.refused, ServiceRequest::PatchTags { device, module, patch })
        }
        Step::PurgeQueue(step) => {
            (step.caller, step.refused, ServiceRequest::PurgeCloudToDevice { device: step.device })
        }
        Step::SetDevice(step) => {
            let (device, enabled) = (step.device, step.enabled);
            (step.caller, step.refused, ServiceRequest::SetDeviceEnabled { device, enabled })
        }
        Step::DeleteDevice(step) => {
            (step.caller, step.refused, ServiceRequest::DeleteDevice { device: step.device })
        }
        Step::RotateKey(step) => {
            let (device, key) = (step.device, key_name(step.key));
            (step.caller, step.refused, ServiceRequest::RegenerateKey { device, module: None, key })
        }
        Step::CopyKey(copy) => {
            let seed = world.journal().header().seed;
            let authentication = shared_keys(&copy.device, &copy.from, copy.key, seed);
            let authentication = authentication.map_err(|error| error.to_string())?;
            let device = copy.device;
            (None, None, ServiceRequest::PutDevice { device, authentication, security_group: None })
        }
        Step::PutSecurityGroup(put) => {
            let group = security_group(&put.rules).map_err(|error| error.to_string())?;
            (put.caller, None, ServiceRequest::PutSecurityGroup { name: put.name, group })
        }
        Step::LoadThreatIntelligence(load) => {
            (None, None, ServiceRequest::LoadThreatList(ThreatList { networks: load.networks }))
        }
        step => return manage(step, certificates, world),
    };
    ask(by.as_deref(), refused, request, world).map(|_| Served::Done)
}

fn key_name(key: KeySpec) -> KeyName {
    match key {
        KeySpec::Primary => KeyName::Primary,
        KeySpec::Secondary => KeyName::Secondary,
    }
}

/// Steps of the management plane whose refusal is a fact like their success.
fn manage(
    step: Step,
    certificates: &BTreeMap<String, X509Credential>,
    world: &mut World,
) -> Result<Served, String> {
    let (by, request) = match step {
        Step::PutCertificate(put) => {
            let certificate = certificate(&put, certificates)?;
            let (name, verified, if_match) = (put.name, true, put.if_match);
            (put.caller, ServiceRequest::PutCertificate { name, certificate, verified, if_match })
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

/// The hub's answer to a caller; nothing where it refused, for want of rights or as the step wants it.
fn ask(
    by: Option<&str>,
    refused: Option<u32>,
    request: ServiceRequest,
    world: &mut World,
) -> Result<Option<ServiceReply>, String> {
    let caller = caller(by, world)?;
    let answer = world.service_as(&caller, request);
    match (answer, refused) {
        (Ok(_), Some(code)) => Err(format!("the hub served what it was to refuse with {code}")),
        (Ok(reply), None) => Ok(Some(reply)),
        (Err(error), Some(code)) if error.code() == code => Ok(None),
        // An offline device is an outcome of a method.
        (Err(HubError::DeviceNotOnline(_)), None) => Ok(None),
        (Err(HubError::UnauthorizedAccess(_) | HubError::Forbidden { .. }), None) if by.is_some() => Ok(None),
        (Err(error), _) => Err(error.to_string()),
    }
}

/// The caller of that name in the scenario, or the owner.
fn caller(name: Option<&str>, world: &World) -> Result<Caller, String> {
    let Some(name) = name else { return Ok(Caller::owner()) };
    let spec = world.journal().header().scenario.callers.get(name);
    let CallerSpec { rights } = spec.ok_or_else(|| format!("no caller {name} in the scenario"))?;
    let rights: Result<Vec<_>, String> = rights
        .iter()
        .map(|right| {
            let name = serde_json::to_value(right).map_err(|error| error.to_string())?;
            let name = name.as_str().unwrap_or_default().to_owned();
            name.parse().map_err(|error: hilarm_hub::UnknownRight| error.to_string())
        })
        .collect();
    Ok(Caller::new(name, rights?))
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

fn invoke_method(invoke: InvokeMethod, world: &mut World) -> Result<Served, String> {
    let request = ServiceRequest::InvokeMethod {
        device: invoke.device,
        module: None,
        name: invoke.method,
        payload: invoke.payload,
        timeout: invoke.timeout.0,
    };
    match ask(invoke.caller.as_deref(), invoke.refused, request, world) {
        Ok(Some(ServiceReply::MethodInvoked(ticket))) => Ok(Served::Method(ticket)),
        Ok(_) => Ok(Served::Done),
        Err(error) => Err(error),
    }
}

fn send_cloud_to_device(path: &str, send: &SendCloudToDevice, world: &mut World) -> Result<Served, String> {
    let name = send.message_id.as_deref().unwrap_or(path);
    for number in 1..=send.count {
        let message_id = if send.count == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let request = ServiceRequest::SendCloudToDevice {
            message_id,
            device: send.device.clone(),
            payload: send.payload.clone().into_bytes(),
            properties: acknowledgement(send.ack),
            ttl: send.ttl.map(|ttl| ttl.0),
        };
        ask(send.caller.as_deref(), send.refused, request, world)?;
    }
    Ok(Served::Done)
}

/// The property with which a sender asks for feedback.
fn acknowledgement(wanted: Acknowledgement) -> BTreeMap<String, String> {
    let word = match wanted {
        Acknowledgement::None => return BTreeMap::new(),
        Acknowledgement::Positive => "positive",
        Acknowledgement::Negative => "negative",
        Acknowledgement::Full => "full",
    };
    BTreeMap::from([("iothub-ack".to_owned(), word.to_owned())])
}

fn take_feedback(take: &TakeFeedback, world: &mut World) -> Result<Served, String> {
    let answer = ask(take.caller.as_deref(), take.refused, ServiceRequest::TakeFeedback, world)?;
    if let Some(ServiceReply::Feedback(told)) = answer {
        for Feedback { device, message_id, outcome, .. } in told {
            world.record(HarnessRecord::FeedbackTaken { device, message_id, outcome: outcome_of(outcome) });
        }
    }
    Ok(Served::Done)
}

fn outcome_of(outcome: hilarm_hub::FeedbackOutcome) -> FeedbackOutcome {
    match outcome {
        hilarm_hub::FeedbackOutcome::Success => FeedbackOutcome::Success,
        hilarm_hub::FeedbackOutcome::Expired => FeedbackOutcome::Expired,
        hilarm_hub::FeedbackOutcome::DeliveryCountExceeded => FeedbackOutcome::DeliveryCountExceeded,
        hilarm_hub::FeedbackOutcome::Rejected => FeedbackOutcome::Rejected,
        hilarm_hub::FeedbackOutcome::Purged => FeedbackOutcome::Purged,
    }
}
