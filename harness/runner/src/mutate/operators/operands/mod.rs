//! Mutants of what detections compare in an event: each field that some rule looks at, taken for another
//! value. A row is mutated by the tables of the kinds of event that it looks at.

mod credentials;
mod management;
mod messages;
mod reports;

use hilarm_defender::{EventKind, Rule};
use hilarm_model::HubEvent;

use super::super::mutant::Mutant;

/// What changes, and how.
type Operand = (&'static str, fn(&mut HubEvent));

/// A table of operands: a pattern of an event, and what is done to the fields that it binds.
macro_rules! operands {
    ($pattern:pat => { $($change:literal: $act:expr),+ $(,)? }) => {
        &[$(($change, {
            #[allow(unused_variables, reason = "a line changes some of what its table binds")]
            fn act(event: &mut HubEvent) {
                if let $pattern = event {
                    $act;
                }
            }
            act
        })),+]
    };
}
use operands;

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let detection = &row.detection;
    let tables = detection.trigger.on().iter().flat_map(|kind| compared(detection.slug, *kind));
    tables.flat_map(|table| *table).map(|(change, shift)| Mutant::seeing(row, change, shift)).collect()
}

/// What the row compares in events of a kind.
fn compared(slug: &str, kind: EventKind) -> &'static [&'static [Operand]] {
    match (kind, slug) {
        (EventKind::TelemetryReceived, _) => &[messages::TELEMETRY],
        (EventKind::CloudToDeviceEnqueued, _) => &[messages::ENQUEUED],
        (EventKind::CloudToDeviceDelivered, _) => &[messages::DELIVERED],
        (EventKind::CloudToDeviceRejected, _) => &[messages::REJECTED],
        (EventKind::CloudToDeviceDeadLettered, _) => &[messages::DEAD_LETTERED],
        (EventKind::TwinUpdated, _) => &[messages::TWIN],
        (EventKind::FileUploadCompleted, _) => &[messages::UPLOADED],
        (EventKind::ConnectionAccepted, _) => &[credentials::ACCEPTED],
        (EventKind::ConnectionRefused, "unauthorized-operations") => &[credentials::MALFORMED],
        (EventKind::ConnectionRefused, "identical-credentials") => {
            &[credentials::CAUSES, credentials::LEAVES]
        }
        (EventKind::ConnectionRefused, "sas-expired" | "sas-invalid-signature") => {
            &[credentials::CAUSES, credentials::STRANGERS, credentials::TOKENS]
        }
        (EventKind::ConnectionRefused, _) => {
            &[credentials::CAUSES, credentials::STRANGERS, credentials::CERTIFICATES]
        }
        (EventKind::DeviceRegistered, _) => &[credentials::REGISTERED],
        (EventKind::DeviceStatusChanged, _) => &[credentials::STATUS],
        (EventKind::ServiceOperationRefused, _) => &[management::CALLS],
        (EventKind::CertificateWritten, "certificate-added") => &[management::WRITTEN, management::CHANGES],
        (EventKind::CertificateWritten, _) => &[management::WRITTEN],
        (EventKind::CertificateDeleted, "certificate-deleted") => &[management::DELETED, management::EXISTED],
        (EventKind::CertificateDeleted, _) => &[management::DELETED],
        (EventKind::DiagnosticSettingWritten, "diagnostics-logs") => &[management::CATEGORIES],
        (EventKind::DiagnosticSettingDeleted, "diagnostics-logs") => &[management::SETTING_DELETED],
        (EventKind::NetworkRulesChanged, "ip-filter-default-deny") => &[management::DEFAULT_ACTION],
        (EventKind::SecurityMessageReceived, "failed-local-logins" | "local-user-not-allowed") => {
            &[reports::LOGINS]
        }
        (EventKind::SecurityMessageReceived, "active-connections") => {
            &[reports::PROTOCOLS, reports::CONNECTIONS]
        }
        (
            EventKind::SecurityMessageReceived,
            "outbound-connection-not-allowed" | "inbound-connection-not-allowed",
        ) => &[reports::PROTOCOLS, reports::DIRECTIONS],
        // What else is looked at is not compared with anything, or is compared with a list.
        _ => &[],
    }
}
