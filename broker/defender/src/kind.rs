//! The kinds of HubEvent that detections look at; the engine's routing table is built over them.

use hilarm_model::HubEvent;

/// A kind of HubEvent, by the name of its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its variant of HubEvent")]
pub enum EventKind {
    ThreatListLoaded,
    ConnectionAccepted,
    ConnectionRefused,
    TelemetryReceived,
    SecurityMessageReceived,
    TwinUpdated,
    DirectMethodInvoked,
    CloudToDeviceEnqueued,
    CloudToDeviceDelivered,
    CloudToDeviceRejected,
    CloudToDeviceDeadLettered,
    QueuePurged,
    FileUploadCompleted,
    OperationRefused,
    ServiceOperationRefused,
    CertificateWritten,
    CertificateDeleted,
    DiagnosticSettingWritten,
    DiagnosticSettingDeleted,
    DeviceRegistered,
    DeviceRemoved,
    DeviceStatusChanged,
    NetworkRulesChanged,
    DefenderTuned,
}

impl EventKind {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = Self::DefenderTuned as usize + 1;

    /// The kind of an event, `None` when no detection looks at such events.
    pub fn of(event: &HubEvent) -> Option<Self> {
        Some(match event {
            HubEvent::ThreatListLoaded(_) => Self::ThreatListLoaded,
            HubEvent::ConnectionAccepted { .. } => Self::ConnectionAccepted,
            HubEvent::ConnectionRefused(_) => Self::ConnectionRefused,
            HubEvent::TelemetryReceived { .. } => Self::TelemetryReceived,
            HubEvent::SecurityMessageReceived { .. } => Self::SecurityMessageReceived,
            HubEvent::TwinUpdated { .. } => Self::TwinUpdated,
            HubEvent::DirectMethodInvoked { .. } => Self::DirectMethodInvoked,
            HubEvent::CloudToDeviceEnqueued { .. } => Self::CloudToDeviceEnqueued,
            HubEvent::CloudToDeviceDelivered { .. } => Self::CloudToDeviceDelivered,
            HubEvent::CloudToDeviceRejected { .. } => Self::CloudToDeviceRejected,
            HubEvent::CloudToDeviceDeadLettered { .. } => Self::CloudToDeviceDeadLettered,
            HubEvent::QueuePurged { .. } => Self::QueuePurged,
            HubEvent::FileUploadCompleted { .. } => Self::FileUploadCompleted,
            HubEvent::OperationRefused { .. } => Self::OperationRefused,
            HubEvent::ServiceOperationRefused { .. } => Self::ServiceOperationRefused,
            HubEvent::CertificateWritten { .. } => Self::CertificateWritten,
            HubEvent::CertificateDeleted { .. } => Self::CertificateDeleted,
            HubEvent::DiagnosticSettingWritten { .. } => Self::DiagnosticSettingWritten,
            HubEvent::DiagnosticSettingDeleted { .. } => Self::DiagnosticSettingDeleted,
            HubEvent::DeviceRegistered { .. } => Self::DeviceRegistered,
            HubEvent::DeviceRemoved { .. } => Self::DeviceRemoved,
            HubEvent::DeviceStatusChanged { .. } => Self::DeviceStatusChanged,
            HubEvent::NetworkRulesChanged(_) => Self::NetworkRulesChanged,
            HubEvent::DefenderTuned(_) => Self::DefenderTuned,
            _ => return None,
        })
    }
}
