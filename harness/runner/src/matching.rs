//! Whether a journal line is the event that a scenario asks for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hilarm_defender::detection;
use hilarm_model::{DeviceId, FilterRule, Flow, HubEvent, MethodOutcome, RefusalCause, SecurityPayload};
use hilarm_network::NetworkFact;
use hilarm_scenario::{
    Cause, CloseReason, DeadLetter, EventMatch, FilterAction, FlowDirection, FlowMatch, MethodMatch,
    Protocol, ReportedFlowMatch, TwinSection,
};

use crate::journal::{Entry, HarnessRecord, Line};

fn is(wanted: &Option<DeviceId>, device: &DeviceId) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == device)
}

/// Of an event that nobody in particular may have caused.
fn is_anybody(wanted: &Option<DeviceId>, device: Option<&DeviceId>) -> bool {
    wanted.as_ref().is_none_or(|wanted| Some(wanted) == device)
}

/// Whether `line` is such an event.
pub(crate) fn matches(wanted: &EventMatch, line: &Line) -> bool {
    match &line.entry {
        Entry::Hub(record) => matches_hub(wanted, &record.event),
        Entry::Harness(record) => matches_harness(wanted, record),
    }
}

fn matches_hub(wanted: &EventMatch, event: &HubEvent) -> bool {
    match (wanted, event) {
        (EventMatch::OperationRefused(by), HubEvent::OperationRefused { device, .. })
        | (EventMatch::SecurityMessageReceived(by), HubEvent::SecurityMessageReceived { device, .. })
        | (EventMatch::TwinRead(by), HubEvent::TwinRead { device, .. })
        | (EventMatch::CloudToDeviceEnqueued(by), HubEvent::CloudToDeviceEnqueued { device, .. })
        | (EventMatch::CloudToDeviceCompleted(by), HubEvent::CloudToDeviceCompleted { device, .. })
        | (EventMatch::QueuePurged(by), HubEvent::QueuePurged { device, .. })
        | (EventMatch::FileUploadCompleted(by), HubEvent::FileUploadCompleted { device, .. })
        | (EventMatch::DeviceRemoved(by), HubEvent::DeviceRemoved { device })
        | (EventMatch::DeviceStatusChanged(by), HubEvent::DeviceStatusChanged { device, .. }) => {
            is(&by.device, device)
        }
        (
            EventMatch::TelemetryReceived(by),
            HubEvent::TelemetryReceived { device, protocol, duplicate: false, .. },
        )
        | (EventMatch::ConnectionAccepted(by), HubEvent::ConnectionAccepted { device, protocol, .. })
        | (
            EventMatch::CloudToDeviceDelivered(by),
            HubEvent::CloudToDeviceDelivered { device, protocol, .. },
        )
        | (EventMatch::CloudToDeviceRejected(by), HubEvent::CloudToDeviceRejected { device, protocol, .. })
        | (
            EventMatch::CloudToDeviceAbandoned(by),
            HubEvent::CloudToDeviceAbandoned { device, protocol, .. },
        ) => is(&by.device, device) && by.protocol.is_none_or(|wanted| wanted == protocol_of(*protocol)),
        (EventMatch::CertificateWritten(by), HubEvent::CertificateWritten { name, status, .. })
        | (EventMatch::CertificateDeleted(by), HubEvent::CertificateDeleted { name, status, .. })
        | (
            EventMatch::DiagnosticSettingWritten(by),
            HubEvent::DiagnosticSettingWritten { name, status, .. },
        )
        | (
            EventMatch::DiagnosticSettingDeleted(by),
            HubEvent::DiagnosticSettingDeleted { name, status, .. },
        ) => {
            by.name.as_ref().is_none_or(|wanted| wanted == name)
                && by.status.is_none_or(|wanted| wanted == *status)
        }
        _ => matches_in_detail(wanted, event),
    }
}

/// Events with fields of their own.
fn matches_in_detail(wanted: &EventMatch, event: &HubEvent) -> bool {
    match (wanted, event) {
        (EventMatch::ConnectionRefused(wanted), HubEvent::ConnectionRefused(refused)) => {
            wanted.device.as_ref().is_none_or(|device| refused.device.as_ref() == Some(device))
                && wanted
                    .cause
                    .is_none_or(|cause| refused.causes.iter().any(|found| cause_of(found) == cause))
        }
        (EventMatch::ConnectionClosed(wanted), HubEvent::ConnectionClosed { device, reason, .. }) => {
            is_anybody(&wanted.device, device.as_ref())
                && wanted.reason.is_none_or(|wanted| wanted == reason_of(*reason))
        }
        (EventMatch::ProtocolViolated(wanted), HubEvent::ProtocolViolated { device, violation, .. }) => {
            is_anybody(&wanted.device, device.as_ref())
                && wanted.violation.as_ref().is_none_or(|wanted| wanted == violation)
        }
        (EventMatch::TwinUpdated(wanted), HubEvent::TwinUpdated { device, module, section, .. }) => {
            is(&wanted.device, device)
                && wanted.module.as_ref().is_none_or(|wanted| module.as_ref() == Some(wanted))
                && wanted.section.is_none_or(|wanted| wanted == section_of(*section))
        }
        (
            EventMatch::DirectMethodInvoked(wanted),
            HubEvent::DirectMethodInvoked { device, method, outcome },
        ) => is(&wanted.device, device) && matches_method(wanted, method, *outcome),
        (
            EventMatch::CloudToDeviceDeadLettered(wanted),
            HubEvent::CloudToDeviceDeadLettered { device, outcome, delivered_over, .. },
        ) => {
            is(&wanted.device, device)
                && wanted.outcome.is_none_or(|wanted| wanted == outcome_of(*outcome))
                && wanted.delivered_over.is_none_or(|wanted| Some(wanted) == delivered_over.map(protocol_of))
        }
        (
            EventMatch::SecuritySolutionConfigured(wanted),
            HubEvent::SecuritySolutionConfigured { name, disabled },
        ) => {
            let off =
                |slug: &String| detection(slug).is_some_and(|known| disabled.contains(known.alert_type));
            wanted.name.as_ref().is_none_or(|wanted| wanted == name)
                && wanted.disabled.as_ref().is_none_or(off)
        }
        (EventMatch::SecuritySolutionRemoved(wanted), HubEvent::SecuritySolutionRemoved { name }) => {
            wanted.name.as_ref().is_none_or(|wanted| wanted == name)
        }
        (EventMatch::NetworkRulesChanged(wanted), HubEvent::NetworkRulesChanged(rules)) => {
            let allows = |network| {
                let lets_in = |rule: &FilterRule| {
                    rule.action == hilarm_model::FilterAction::Allow && rule.network == network
                };
                rules.rules.iter().any(lets_in)
            };
            wanted.default_action.is_none_or(|wanted| wanted == action_of(rules.default_action))
                && wanted.allows.is_none_or(allows)
        }
        (
            EventMatch::ServiceOperationRefused(wanted),
            HubEvent::ServiceOperationRefused { device, operation, caller, code },
        ) => {
            is_anybody(&wanted.device, device.as_ref())
                && wanted.operation.as_ref().is_none_or(|wanted| wanted == operation)
                && wanted.caller.as_ref().is_none_or(|wanted| wanted == caller)
                && wanted.code.is_none_or(|wanted| wanted == *code)
        }
        (EventMatch::RequestRefused(wanted), HubEvent::RequestRefused { device, code, .. }) => {
            is(&wanted.device, device) && wanted.code.is_none_or(|wanted| wanted == *code)
        }
        (EventMatch::DeviceRegistered(wanted), HubEvent::DeviceRegistered { device, security_group, .. }) => {
            is(&wanted.device, device)
                && wanted.security_group.as_ref().is_none_or(|wanted| wanted == security_group)
        }
        (
            EventMatch::SecurityMessageRejected(wanted),
            HubEvent::SecurityMessageRejected { device, reason, .. },
        ) => {
            is(&wanted.device, device)
                && wanted.reason.as_ref().is_none_or(|wanted| reason.contains(wanted.as_str()))
        }
        (_, HubEvent::SecurityMessageReceived { device, events, .. }) => {
            events.iter().any(|event| reports(wanted, device, &event.payload))
        }
        _ => false,
    }
}

/// Whether a security event reports what is asked for.
fn reports(wanted: &EventMatch, device: &DeviceId, payload: &SecurityPayload) -> bool {
    match (wanted, payload) {
        (EventMatch::FlowReported(wanted), SecurityPayload::NetworkActivity(flows)) => {
            is(&wanted.device, device) && flows.iter().any(|flow| matches_flow(wanted, flow))
        }
        (EventMatch::LoginReported(wanted), SecurityPayload::Login(login)) => {
            is(&wanted.device, device)
                && wanted.user.as_ref().is_none_or(|wanted| *wanted == login.user)
                && wanted.success.is_none_or(|wanted| wanted == login.success)
        }
        (EventMatch::ProcessReported(wanted), SecurityPayload::ProcessCreate(process)) => {
            is(&wanted.device, device)
                && wanted.executable.as_ref().is_none_or(|wanted| *wanted == process.executable)
        }
        (EventMatch::ListeningPortsReported(wanted), SecurityPayload::ListeningPorts(ports)) => {
            is(&wanted.device, device)
                && wanted.port.is_none_or(|wanted| ports.iter().any(|listening| listening.port == wanted))
        }
        (EventMatch::SecurityEventReported(wanted), SecurityPayload::Recorded(event)) => {
            is(&wanted.device, device)
                && wanted.name.is_none_or(|wanted| wanted.as_str() == event.name)
                && (wanted.item.is_empty() || event.items.iter().any(|item| says(item, &wanted.item)))
        }
        _ => false,
    }
}

/// Whether an item says all that is asked for.
fn says(item: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(name, text)| item.get(name) == Some(text))
}

fn matches_harness(wanted: &EventMatch, record: &HarnessRecord) -> bool {
    match (wanted, record) {
        (
            EventMatch::NetworkConnected(wanted),
            HarnessRecord::Network { device, fact: NetworkFact::ConnectionOpened { remote, .. } },
        ) => is(&wanted.device, device) && matches_remote(wanted, IpAddr::V4(*remote.ip()), remote.port()),
        (EventMatch::FileNotificationTaken(wanted), HarnessRecord::FileNotificationTaken { device, .. }) => {
            is(&wanted.device, device)
        }
        (EventMatch::FeedbackTaken(wanted), HarnessRecord::FeedbackTaken { device, outcome, .. }) => {
            is(&wanted.device, device) && wanted.outcome.is_none_or(|wanted| wanted == *outcome)
        }
        (EventMatch::AdversaryReceived(wanted), HarnessRecord::AdversaryReceived { endpoint, topic, .. }) => {
            wanted.endpoint.is_none_or(|wanted| *endpoint == wanted.to_string())
                && wanted.topic.as_ref().is_none_or(|wanted| wanted == topic)
        }
        _ => false,
    }
}

fn matches_method(wanted: &MethodMatch, method: &str, outcome: MethodOutcome) -> bool {
    wanted.method.as_ref().is_none_or(|wanted| wanted == method)
        && wanted.status.is_none_or(|status| outcome == MethodOutcome::Answered { status })
        && wanted.code.is_none_or(|code| outcome.code() == Some(code))
}

fn matches_flow(wanted: &ReportedFlowMatch, flow: &Flow) -> bool {
    wanted.remote_address.is_none_or(|wanted| wanted == flow.remote_address)
        && wanted.remote_port.is_none_or(|wanted| wanted == flow.remote_port)
        && wanted.direction.is_none_or(|wanted| flow.direction.map(direction_of) == Some(wanted))
}

fn direction_of(direction: hilarm_model::FlowDirection) -> FlowDirection {
    match direction {
        hilarm_model::FlowDirection::In => FlowDirection::In,
        hilarm_model::FlowDirection::Out => FlowDirection::Out,
    }
}

fn matches_remote(wanted: &FlowMatch, address: IpAddr, port: u16) -> bool {
    wanted.remote_address.is_none_or(|wanted| wanted == address)
        && wanted.remote_port.is_none_or(|wanted| wanted == port)
}

fn cause_of(cause: &RefusalCause) -> Cause {
    match cause {
        RefusalCause::SasMalformed { .. } => Cause::SasMalformed,
        RefusalCause::SasScopeMismatch => Cause::SasScopeMismatch,
        RefusalCause::SasInvalidSignature => Cause::SasInvalidSignature,
        RefusalCause::SasExpired { .. } => Cause::SasExpired,
        RefusalCause::X509ThumbprintMismatch { .. } => Cause::X509ThumbprintMismatch,
        RefusalCause::X509Expired { .. } => Cause::X509Expired,
        RefusalCause::X509NotYetValid { .. } => Cause::X509NotYetValid,
        RefusalCause::X509NotTrusted => Cause::X509NotTrusted,
        RefusalCause::X509SubjectMismatch => Cause::X509SubjectMismatch,
        RefusalCause::X509Malformed { .. } => Cause::X509Malformed,
        RefusalCause::UnknownDevice => Cause::UnknownDevice,
        RefusalCause::DeviceDisabled => Cause::DeviceDisabled,
        RefusalCause::IpFiltered => Cause::IpFiltered,
        RefusalCause::CredentialMissing => Cause::CredentialMissing,
        RefusalCause::CredentialKindMismatch => Cause::CredentialKindMismatch,
        RefusalCause::UserNameMalformed { .. } => Cause::UserNameMalformed,
        RefusalCause::ProtocolLevel { .. } => Cause::ProtocolLevel,
        RefusalCause::Throttled => Cause::Throttled,
    }
}

fn reason_of(reason: hilarm_model::CloseReason) -> CloseReason {
    use hilarm_model::CloseReason as Model;
    match reason {
        Model::Disconnected => CloseReason::Disconnected,
        Model::TransportClosed => CloseReason::TransportClosed,
        Model::KeepAliveExpired => CloseReason::KeepAliveExpired,
        Model::TakenOver => CloseReason::TakenOver,
        Model::Refused => CloseReason::Refused,
        Model::ProtocolViolated => CloseReason::ProtocolViolated,
        Model::TokenExpired => CloseReason::TokenExpired,
        Model::IdentityChanged => CloseReason::IdentityChanged,
        Model::ConnectTimeout => CloseReason::ConnectTimeout,
        Model::Throttled => CloseReason::Throttled,
        Model::QuotaExceeded => CloseReason::QuotaExceeded,
    }
}

fn protocol_of(protocol: hilarm_model::Protocol) -> Protocol {
    match protocol {
        hilarm_model::Protocol::Mqtt => Protocol::Mqtt,
        hilarm_model::Protocol::Amqp => Protocol::Amqp,
        hilarm_model::Protocol::Https => Protocol::Https,
    }
}

fn section_of(section: hilarm_model::TwinSection) -> TwinSection {
    match section {
        hilarm_model::TwinSection::Desired => TwinSection::Desired,
        hilarm_model::TwinSection::Reported => TwinSection::Reported,
        hilarm_model::TwinSection::Tags => TwinSection::Tags,
    }
}

fn outcome_of(outcome: hilarm_model::DeadLetter) -> DeadLetter {
    match outcome {
        hilarm_model::DeadLetter::Expired => DeadLetter::Expired,
        hilarm_model::DeadLetter::DeliveryCountExceeded => DeadLetter::DeliveryCountExceeded,
        hilarm_model::DeadLetter::Purged => DeadLetter::Purged,
    }
}

fn action_of(action: hilarm_model::FilterAction) -> FilterAction {
    match action {
        hilarm_model::FilterAction::Allow => FilterAction::Allow,
        hilarm_model::FilterAction::Deny => FilterAction::Deny,
    }
}

#[cfg(test)]
mod tests;
