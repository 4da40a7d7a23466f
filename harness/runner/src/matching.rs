//! Whether a journal line is the event that a scenario asks for.

use std::net::IpAddr;

use hilarm_model::{DeviceId, HubEvent, MethodOutcome, RefusalCause, SecurityEvent, SecurityPayload};
use hilarm_network::NetworkFact;
use hilarm_scenario::{Cause, EventMatch, FlowMatch, MethodMatch};

use crate::journal::{Entry, HarnessRecord, Line};

fn is(wanted: &Option<DeviceId>, device: &DeviceId) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == device)
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
        (EventMatch::ConnectionAccepted(by), HubEvent::ConnectionAccepted { device, .. })
        | (EventMatch::ConnectionClosed(by), HubEvent::ConnectionClosed { device: Some(device), .. })
        | (EventMatch::TelemetryReceived(by), HubEvent::TelemetryReceived { device, duplicate: false, .. })
        | (EventMatch::SecurityMessageReceived(by), HubEvent::SecurityMessageReceived { device, .. })
        | (EventMatch::TwinUpdated(by), HubEvent::TwinUpdated { device, .. })
        | (EventMatch::TwinRead(by), HubEvent::TwinRead { device, .. })
        | (EventMatch::CloudToDeviceCompleted(by), HubEvent::CloudToDeviceCompleted { device, .. }) => {
            is(&by.device, device)
        }
        (EventMatch::ConnectionRefused(wanted), HubEvent::ConnectionRefused(refused)) => {
            wanted.device.as_ref().is_none_or(|device| refused.device.as_ref() == Some(device))
                && wanted
                    .cause
                    .is_none_or(|cause| refused.causes.iter().any(|found| cause_of(found) == cause))
        }
        (EventMatch::FlowReported(wanted), HubEvent::SecurityMessageReceived { device, events, .. }) => {
            is(&wanted.device, device) && events.iter().any(|event| reports_flow(wanted, event))
        }
        (
            EventMatch::DirectMethodInvoked(wanted),
            HubEvent::DirectMethodInvoked { device, method, outcome },
        ) => is(&wanted.device, device) && matches_method(wanted, method, *outcome),
        _ => false,
    }
}

fn matches_harness(wanted: &EventMatch, record: &HarnessRecord) -> bool {
    match (wanted, record) {
        (
            EventMatch::NetworkConnected(wanted),
            HarnessRecord::Network { device, fact: NetworkFact::ConnectionOpened { remote, .. } },
        ) => is(&wanted.device, device) && matches_remote(wanted, IpAddr::V4(*remote.ip()), remote.port()),
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
}

fn reports_flow(wanted: &FlowMatch, event: &SecurityEvent) -> bool {
    match &event.payload {
        SecurityPayload::NetworkActivity(flows) => {
            flows.iter().any(|flow| matches_remote(wanted, flow.remote_address, flow.remote_port))
        }
        _ => false,
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
    }
}
