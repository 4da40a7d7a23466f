//! HubEvents: past-tense facts that the hub records. They are all that the defender ever sees.

mod connection;
mod network;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    AgentIdentity, ConnectionId, DeviceId, ModuleId, Profile, SecurityEvent, SecurityGroup, ThreatList,
    Timestamp, TlsVersion, Tuning,
};

pub use connection::{
    CloseReason, ConnectionRefused, Protocol, RefusalCause, RegisteredAuthentication, UsedAuthentication,
};
pub use network::{FilterAction, FilterRule, NetworkRules};

/// A HubEvent with the hub's calendar time at which it became true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRecord {
    /// Hub receive time, calendar clock.
    pub at: Timestamp,
    /// The fact.
    pub event: HubEvent,
}

/// A fact, in the past tense.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubEvent {
    /// Monitoring began: tumbling windows count from here. Facts before it are provisioning and raise nothing.
    MonitoringStarted,
    /// The calendar of the hub jumped; monotonic time did not.
    CalendarAdvanced {
        /// Where it stood before.
        from: Timestamp,
    },
    /// A device identity was created or its authentication replaced.
    DeviceRegistered {
        /// The device.
        device: DeviceId,
        /// How it must authenticate from now on.
        authentication: RegisteredAuthentication,
        /// Security group of the device's twin tags, `default` when it has none.
        security_group: String,
    },
    /// A device identity was deleted.
    DeviceRemoved {
        /// The device.
        device: DeviceId,
    },
    /// A device was enabled or disabled.
    DeviceStatusChanged {
        /// The device.
        device: DeviceId,
        /// Whether it may connect.
        enabled: bool,
    },
    /// The defender's profile was chosen.
    ProfileConfigured(Profile),
    /// The defender's knobs were set.
    DefenderTuned(Tuning),
    /// A security group was deleted.
    SecurityGroupRemoved {
        /// Its name, lower case.
        name: String,
    },
    /// A security group was created or replaced.
    SecurityGroupConfigured {
        /// Its name, lower case.
        name: String,
        /// Its enabled rules.
        group: SecurityGroup,
    },
    /// A security solution was created or changed: which recommendations are wanted.
    SecuritySolutionConfigured {
        /// Its name.
        name: String,
        /// The recommendation types that it switches off, such as `IoT_IPFilter_DenyAll`; all of them when the
        /// solution as a whole is disabled.
        disabled: BTreeSet<String>,
    },
    /// A security solution was deleted.
    SecuritySolutionRemoved {
        /// Its name.
        name: String,
    },
    /// The threat-intelligence list was replaced.
    ThreatListLoaded(ThreatList),
    /// A device was let in.
    ConnectionAccepted {
        /// The connection.
        connection: ConnectionId,
        /// The authenticated device.
        device: DeviceId,
        /// The module, when a module connected.
        module: Option<ModuleId>,
        /// Application protocol.
        protocol: Protocol,
        /// Its source address.
        peer: SocketAddr,
        /// How it proved itself.
        authentication: UsedAuthentication,
        /// TLS version of the connection.
        tls: TlsVersion,
        /// Whether a stored session was resumed.
        session_present: bool,
    },
    /// A connection attempt was refused.
    ConnectionRefused(ConnectionRefused),
    /// A connection ended.
    ConnectionClosed {
        /// The connection.
        connection: ConnectionId,
        /// The device that had been let in on it, if one had.
        device: Option<DeviceId>,
        /// Why it ended.
        reason: CloseReason,
    },
    /// A telemetry message was accepted.
    TelemetryReceived {
        /// The sender.
        device: DeviceId,
        /// The sending module.
        module: Option<ModuleId>,
        /// Application protocol.
        protocol: Protocol,
        /// Payload length.
        payload_bytes: u64,
        /// The client marked it as a retransmission (MQTT DUP).
        duplicate: bool,
    },
    /// A security message was accepted and decoded.
    SecurityMessageReceived {
        /// The sender.
        device: DeviceId,
        /// The sending module.
        module: Option<ModuleId>,
        /// The agent.
        agent: AgentIdentity,
        /// What it reported.
        events: Vec<SecurityEvent>,
    },
    /// A message called itself a security message and did not decode; the service drops it.
    SecurityMessageRejected {
        /// The sender.
        device: DeviceId,
        /// Payload length.
        payload_bytes: u64,
        /// What was wrong with it.
        reason: String,
    },
    /// A twin was read by its device.
    TwinRead {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
    },
    /// A twin section was changed.
    TwinUpdated {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// What changed.
        section: TwinSection,
        /// Version of the section after the change.
        version: u64,
    },
    /// A direct method was invoked; recorded when its outcome is known.
    DirectMethodInvoked {
        /// The device.
        device: DeviceId,
        /// Method name.
        method: String,
        /// What came of it.
        outcome: MethodOutcome,
    },
    /// A cloud-to-device message was accepted for a device.
    CloudToDeviceEnqueued {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// The protocol that the device last used; nothing when it never connected.
        protocol: Option<Protocol>,
    },
    /// A cloud-to-device message was handed to the device.
    CloudToDeviceDelivered {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// Application protocol.
        protocol: Protocol,
    },
    /// The device completed a cloud-to-device message (MQTT: PUBACK).
    CloudToDeviceCompleted {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
    },
    /// The device rejected a cloud-to-device message.
    CloudToDeviceRejected {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// Application protocol.
        protocol: Protocol,
    },
    /// The device gave a cloud-to-device message back to the queue.
    CloudToDeviceAbandoned {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// Application protocol.
        protocol: Protocol,
    },
    /// A cloud-to-device message left the queue without being completed or rejected.
    CloudToDeviceDeadLettered {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// Why.
        outcome: DeadLetter,
        /// The protocol over which it had been handed out at least once.
        delivered_over: Option<Protocol>,
    },
    /// The queue of a device was purged by the service.
    QueuePurged {
        /// The device.
        device: DeviceId,
        /// How many messages that dropped; 0 counts as a purge too.
        messages: u64,
    },
    /// A device completed a file upload.
    FileUploadCompleted {
        /// The device.
        device: DeviceId,
        /// Name of the blob.
        blob: String,
        /// Length of the blob.
        blob_bytes: u64,
        /// Whether the device reported success.
        success: bool,
    },
    /// The service side or the management plane was refused: for want of rights (401xxx, 403000), or because what
    /// it asked for is malformed, out of bounds or not there.
    ServiceOperationRefused {
        /// The device that the operation names, if it names one.
        device: Option<DeviceId>,
        /// The operation, e.g. `direct method`.
        operation: String,
        /// The caller.
        caller: String,
        /// IoT Hub's code.
        code: u32,
    },
    /// Somebody wrote a certificate of the hub, or tried to.
    CertificateWritten {
        /// Name of the certificate.
        name: String,
        /// HTTP status of the answer.
        status: u16,
        /// What changed; nothing on a failure.
        change: Option<CertificateChange>,
        /// The caller.
        caller: String,
    },
    /// Somebody deleted a certificate of the hub, or tried to.
    CertificateDeleted {
        /// Name of the certificate.
        name: String,
        /// HTTP status of the answer.
        status: u16,
        /// Whether there had been one.
        existed: bool,
        /// The caller.
        caller: String,
    },
    /// Somebody added or edited a diagnostic setting of the hub, or tried to.
    DiagnosticSettingWritten {
        /// Name of the setting.
        name: String,
        /// HTTP status of the answer.
        status: u16,
        /// Log categories that are enabled afterwards in this setting; empty on a failure.
        enabled_categories: Vec<String>,
        /// The caller.
        caller: String,
    },
    /// Somebody deleted a diagnostic setting of the hub, or tried to.
    DiagnosticSettingDeleted {
        /// Name of the setting.
        name: String,
        /// HTTP status of the answer.
        status: u16,
        /// Whether there had been one.
        existed: bool,
        /// The caller.
        caller: String,
    },
    /// The hub's network rules were changed.
    NetworkRulesChanged(NetworkRules),
    /// An authenticated device asked for something it has no right to.
    OperationRefused {
        /// The device.
        device: DeviceId,
        /// What it asked for.
        operation: Operation,
    },
    /// An authenticated device asked for something that it may ask for, in a way that is malformed, out of bounds
    /// or too late.
    RequestRefused {
        /// The device.
        device: DeviceId,
        /// The module, when a module asked.
        module: Option<ModuleId>,
        /// What it asked for.
        operation: Operation,
        /// IoT Hub's code.
        code: u32,
    },
    /// A peer broke the protocol; its first bytes are the evidence.
    ProtocolViolated {
        /// The connection.
        connection: ConnectionId,
        /// The device, if it had been let in.
        device: Option<DeviceId>,
        /// Its source address.
        peer: SocketAddr,
        /// The rule that was broken, e.g. `first packet is not CONNECT`.
        violation: String,
        /// Up to 32 bytes of the offending packet, hexadecimal.
        bytes_hex: String,
    },
}

/// What a certificate write changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateChange {
    /// A new name.
    Added,
    /// The name was there, the thumbprint is another.
    Replaced,
    /// The same certificate again, or its verification.
    Unchanged,
}

/// Why a cloud-to-device message left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetter {
    /// Its time to live passed.
    Expired,
    /// It was handed out too often.
    DeliveryCountExceeded,
    /// The queue was purged.
    Purged,
}

/// A section of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwinSection {
    /// Written by the service, read by the device.
    Desired,
    /// Written by the device.
    Reported,
    /// Seen by the service only.
    Tags,
}

/// What came of a direct method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodOutcome {
    /// The device answered.
    Answered {
        /// Status of the device's answer.
        status: i32,
    },
    /// The device was not connected (404103).
    DeviceOffline,
    /// The device did not answer in time (504101).
    TimedOut,
    /// The device's connection ended before it answered.
    ConnectionClosed {
        /// IoT Hub's code: 400027 when the device connected once more, else 404104.
        code: u32,
    },
}

impl MethodOutcome {
    /// IoT Hub's code of what is no answer.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Answered { .. } => None,
            Self::DeviceOffline => Some(404_103),
            Self::TimedOut => Some(504_101),
            Self::ConnectionClosed { code } => Some(code),
        }
    }
}

/// An operation of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A publish to this topic.
    Publish {
        /// The topic, as sent.
        topic: String,
    },
    /// A subscription to this filter.
    Subscribe {
        /// The filter, as sent.
        filter: String,
    },
    /// An HTTPS request.
    Request {
        /// Method and path, as sent.
        line: String,
    },
}
