//! HubEvents: past-tense facts that the hub records. They are all that the defender ever sees.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{
    AgentIdentity, ConnectionId, DeviceId, ModuleId, Profile, SecurityEvent, SecurityGroup, ThreatList,
    Timestamp, TlsVersion, Tuning,
};

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

/// The hub's network rules, as the management plane holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRules {
    /// What happens to an address that no rule names.
    pub default_action: FilterAction,
    /// Rules in order; the first that covers an address decides.
    pub rules: Vec<FilterRule>,
    /// Whether `default_action` was stated (`networkRuleSets`) or is the older model's (`ipFilterRules`).
    pub stated: bool,
}

/// One network rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: FilterAction,
    /// Whom it covers.
    pub network: IpNet,
}

impl FilterRule {
    /// Whether it covers an address. An IPv4-mapped address is the IPv4 address, and a network of such
    /// addresses the IPv4 network (RFC 4291, 2.5.5.2).
    pub fn covers(&self, address: IpAddr) -> bool {
        let network = match self.network {
            IpNet::V6(mapped) => unmapped(mapped).map_or(self.network, IpNet::V4),
            IpNet::V4(_) => self.network,
        };
        network.contains(&address.to_canonical())
    }
}

fn unmapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let bits = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, bits).ok()
}

/// What a network rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterAction {
    /// Lets in.
    #[default]
    Allow,
    /// Keeps out.
    Deny,
}

/// A refused connection attempt, with every independent cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRefused {
    /// The connection.
    pub connection: ConnectionId,
    /// The device id that the peer claimed, if it claimed a well-formed one.
    pub device: Option<DeviceId>,
    /// Whether that id is in the identity registry.
    pub registered: bool,
    /// Application protocol.
    pub protocol: Protocol,
    /// Its source address.
    pub peer: SocketAddr,
    /// At least one; X.509 expiry and thumbprint are judged independently and may both be here.
    pub causes: Vec<RefusalCause>,
}

/// Why a connection was refused. The client is told nothing beyond `not authorized`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCause {
    /// The token does not parse.
    SasMalformed {
        /// What was wrong with it; never the token.
        reason: String,
    },
    /// The token's `sr` names another resource.
    SasScopeMismatch,
    /// The signature matches neither the primary nor the secondary key.
    SasInvalidSignature,
    /// The signature is right and `se` lies at or before the hub's clock.
    SasExpired {
        /// The token's `se`.
        expiry: Timestamp,
    },
    /// The presented leaf matches neither configured thumbprint. Upper-case hexadecimal.
    X509ThumbprintMismatch {
        /// SHA-1 of the presented leaf.
        sha1: String,
        /// SHA-256 of the presented leaf.
        sha256: String,
    },
    /// The leaf's `notAfter` lies before the hub's clock.
    X509Expired {
        /// The leaf's `notAfter`.
        not_after: Timestamp,
    },
    /// The leaf's `notBefore` lies after the hub's clock.
    X509NotYetValid {
        /// The leaf's `notBefore`.
        not_before: Timestamp,
    },
    /// The chain leads to no registered certificate authority.
    X509NotTrusted,
    /// The leaf's common name is not the device id.
    X509SubjectMismatch,
    /// The leaf does not parse.
    X509Malformed {
        /// What was wrong with it.
        reason: String,
    },
    /// No such device in the identity registry.
    UnknownDevice,
    /// The device is disabled.
    DeviceDisabled,
    /// Neither a token nor a certificate was presented.
    CredentialMissing,
    /// A token where a certificate is required, or the reverse.
    CredentialKindMismatch,
    /// The MQTT user name is not that of IoT Hub, or names another device than the client id.
    UserNameMalformed {
        /// What was wrong with it.
        reason: String,
    },
    /// The source address is kept out by the hub's network rules.
    IpFiltered,
    /// The protocol level is not MQTT 3.1.1.
    ProtocolLevel {
        /// The level offered.
        level: u8,
    },
    /// The hub's throttle of new connections (429001).
    Throttled,
}

/// Application protocol of a connection or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// MQTT 3.1.1, over TLS or WebSocket.
    Mqtt,
    /// AMQP 1.0.
    Amqp,
    /// HTTPS.
    Https,
}

/// How a device must authenticate. Keys stay in the hub: only digests of them are facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisteredAuthentication {
    /// Symmetric keys, as SHA-256 of each, for comparison between devices.
    Sas {
        /// Digest of the primary key.
        primary_sha256: String,
        /// Digest of the secondary key.
        secondary_sha256: String,
    },
    /// Thumbprints, upper-case hexadecimal, SHA-1 or SHA-256.
    SelfSigned {
        /// Primary thumbprint.
        primary: String,
        /// Secondary thumbprint.
        secondary: Option<String>,
    },
    /// A chain to a registered certificate authority.
    CertificateAuthority,
}

/// How an accepted device proved itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsedAuthentication {
    /// A SAS token valid until then.
    Sas {
        /// The token's `se`.
        expiry: Timestamp,
    },
    /// A client certificate valid until then.
    X509 {
        /// The leaf's `notAfter`.
        not_after: Timestamp,
        /// SHA-256 of the leaf, upper-case hexadecimal.
        sha256: String,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    Disconnected,
    /// The transport ended without DISCONNECT.
    TransportClosed,
    /// Nothing was heard for one and a half keep-alive intervals.
    KeepAliveExpired,
    /// The same identity connected again (400027).
    TakenOver,
    /// The connection was refused.
    Refused,
    /// The peer broke the protocol.
    ProtocolViolated,
    /// The token expired during the session and the grace period passed.
    TokenExpired,
    /// The identity was disabled, removed or given other credentials.
    IdentityChanged,
    /// No CONNECT arrived in time.
    ConnectTimeout,
    /// It asked for more than the hub's throttles let through (429001).
    Throttled,
    /// It sent when the hub had used up its messages of the day (403002).
    QuotaExceeded,
}

impl CloseReason {
    /// IoT Hub's code for such an end, where Microsoft documents one: what its resource logs say, and what a direct
    /// method is refused with whose answer this end cut off. A connection that another one took over is a link of
    /// AMQP (409002) or the whole connection elsewhere (400027).
    pub const fn error_code(self, protocol: Protocol) -> Option<u32> {
        match (self, protocol) {
            (Self::TakenOver, Protocol::Amqp) => Some(409_002),
            (Self::TakenOver, _) => Some(400_027),
            (Self::TransportClosed | Self::KeepAliveExpired, _) => Some(404_104),
            (Self::TokenExpired, _) => Some(401_003),
            (Self::Throttled, _) => Some(429_001),
            (Self::QuotaExceeded, _) => Some(403_002),
            _ => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_the_code_that_iot_hub_documents_for_it() {
        let mqtt = |reason: CloseReason| reason.error_code(Protocol::Mqtt);
        assert_eq!(mqtt(CloseReason::TakenOver), Some(400_027));
        assert_eq!(CloseReason::TakenOver.error_code(Protocol::Amqp), Some(409_002), "two links at once");
        assert_eq!(mqtt(CloseReason::TransportClosed), Some(404_104));
        assert_eq!(mqtt(CloseReason::KeepAliveExpired), Some(404_104));
        assert_eq!(mqtt(CloseReason::Disconnected), None, "nobody complains about a farewell");
    }
}
