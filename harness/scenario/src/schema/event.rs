//! Matchers of the journal's events, for `wait_for` and `proof`.

use std::net::SocketAddrV4;

use hilarm_model::{DeviceId, ModuleId};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;
use super::reported::{
    ListeningMatch, LoginMatch, ProcessMatch, RecordedMatch, RejectedMatch, ReportedFlowMatch,
};

/// An event of the journal; fields that are absent match anything.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "event"))]
pub enum EventMatch {
    /// The hub let a device in.
    ConnectionAccepted(ByProtocol),
    /// The hub refused a connection.
    ConnectionRefused(RefusedMatch),
    /// A connection to the hub ended.
    ConnectionClosed(ClosedMatch),
    /// A peer broke the protocol.
    ProtocolViolated(ViolationMatch),
    /// A device asked for something it has no right to.
    OperationRefused(ByDevice),
    /// The service side or the management plane was refused.
    ServiceOperationRefused(ServiceRefusedMatch),
    /// A device asked wrongly for something that it may ask for.
    RequestRefused(RequestRefusedMatch),
    /// The hub accepted telemetry.
    TelemetryReceived(ByProtocol),
    /// The hub decoded a security message.
    SecurityMessageReceived(ByDevice),
    /// A message called itself a security message and did not decode.
    SecurityMessageRejected(RejectedMatch),
    /// A security message reported a flow.
    FlowReported(ReportedFlowMatch),
    /// A security message reported an attempt to sign in on the device.
    LoginReported(LoginMatch),
    /// A security message reported a started process.
    ProcessReported(ProcessMatch),
    /// A security message reported the ports that the device listens on.
    ListeningPortsReported(ListeningMatch),
    /// A security message reported something that no detection judges.
    SecurityEventReported(RecordedMatch),
    /// A twin was changed.
    TwinUpdated(TwinMatch),
    /// A twin was read by its device.
    TwinRead(ByDevice),
    /// A direct method had its outcome.
    DirectMethodInvoked(MethodMatch),
    /// The hub accepted a cloud-to-device message.
    CloudToDeviceEnqueued(ByDevice),
    /// A cloud-to-device message was handed to its device.
    CloudToDeviceDelivered(ByProtocol),
    /// A device completed a cloud-to-device message.
    CloudToDeviceCompleted(ByDevice),
    /// A device rejected a cloud-to-device message.
    CloudToDeviceRejected(ByProtocol),
    /// A device gave a cloud-to-device message back to the queue.
    CloudToDeviceAbandoned(ByProtocol),
    /// A cloud-to-device message left the queue without being completed or rejected.
    CloudToDeviceDeadLettered(DeadLetterMatch),
    /// The service was told what became of a cloud-to-device message.
    FeedbackTaken(FeedbackMatch),
    /// The service was told of a completed file upload.
    FileNotificationTaken(ByDevice),
    /// The service purged a device's queue.
    QueuePurged(ByDevice),
    /// A device completed a file upload.
    FileUploadCompleted(ByDevice),
    /// A device identity was created, given other credentials or moved to another security group.
    DeviceRegistered(RegisteredMatch),
    /// A device identity was deleted.
    DeviceRemoved(ByDevice),
    /// A device was enabled or disabled.
    DeviceStatusChanged(ByDevice),
    /// Somebody wrote a certificate of the hub, or tried to.
    CertificateWritten(ByName),
    /// Somebody deleted a certificate of the hub, or tried to.
    CertificateDeleted(ByName),
    /// Somebody wrote a diagnostic setting of the hub, or tried to.
    DiagnosticSettingWritten(ByName),
    /// Somebody deleted a diagnostic setting of the hub, or tried to.
    DiagnosticSettingDeleted(ByName),
    /// A security solution was created or changed.
    SecuritySolutionConfigured(SolutionMatch),
    /// A security solution was deleted.
    SecuritySolutionRemoved(SolutionMatch),
    /// The hub's network rules were changed.
    NetworkRulesChanged(RulesMatch),
    /// Network truth: a device's connection to an address was established.
    NetworkConnected(FlowMatch),
    /// The adversary's broker received a message from a bot.
    AdversaryReceived(AdversaryMatch),
}

/// By device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByDevice {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
}

/// A connection that ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosedMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Why it ended.
    #[serde(default)]
    pub reason: Option<CloseReason>,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "reason"))]
pub enum CloseReason {
    /// The device took leave.
    Disconnected,
    /// The transport ended without a word.
    TransportClosed,
    /// Nothing was heard for too long.
    KeepAliveExpired,
    /// The same identity connected again.
    TakenOver,
    /// The connection was refused.
    Refused,
    /// The peer broke the protocol.
    ProtocolViolated,
    /// The token expired during the session.
    TokenExpired,
    /// The identity was disabled, removed or given other credentials.
    IdentityChanged,
    /// The first packet did not come in time.
    ConnectTimeout,
    /// It asked for more than the hub's throttles let through.
    Throttled,
    /// It sent when the hub had used up its messages of the day.
    QuotaExceeded,
}

/// A broken rule of the protocol.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViolationMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The rule, as the hub words it, e.g. `second CONNECT`.
    #[serde(default)]
    pub violation: Option<String>,
}

/// By device and application protocol.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByProtocol {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Application protocol.
    #[serde(default)]
    pub protocol: Option<Protocol>,
}

/// Application protocols of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "protocol"))]
pub enum Protocol {
    /// MQTT 3.1.1.
    Mqtt,
    /// AMQP 1.0.
    Amqp,
    /// HTTPS.
    Https,
}

/// By the name of a hub's part, and the answer that whoever asked got.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByName {
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// HTTP status of the answer.
    #[serde(default)]
    pub status: Option<u16>,
}

/// A security solution.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionMatch {
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// A recommendation that it switches off.
    #[serde(default)]
    #[schemars(schema_with = "format::recommendation")]
    pub disabled: Option<String>,
}

/// Network rules.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesMatch {
    /// What happens to an address that no rule names.
    #[serde(default)]
    pub default_action: Option<FilterAction>,
    /// A network that one of the rules lets in.
    #[serde(default, deserialize_with = "format::deserialize_some_network")]
    #[schemars(schema_with = "format::network_schema")]
    pub allows: Option<IpNet>,
}

/// What a network rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "action"))]
pub enum FilterAction {
    /// Lets in.
    Allow,
    /// Keeps out.
    Deny,
}

/// A device identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisteredMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The security group that its twin names.
    #[serde(default)]
    pub security_group: Option<String>,
}

/// A refused call of the service side or the management plane.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRefusedMatch {
    /// The device that the call names.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The caller.
    #[serde(default)]
    pub caller: Option<String>,
    /// The operation, as the hub words it, e.g. `direct method`.
    #[serde(default)]
    pub operation: Option<String>,
    /// IoT Hub's code, e.g. `401002`.
    #[serde(default)]
    pub code: Option<u32>,
}

/// A refused request of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestRefusedMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// IoT Hub's code, e.g. `400004`.
    #[serde(default)]
    pub code: Option<u32>,
}

/// A changed twin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TwinMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The module, for its twin; any twin of the device when absent.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// What changed.
    #[serde(default)]
    pub section: Option<TwinSection>,
}

/// Sections of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "section"))]
pub enum TwinSection {
    /// Written by the service, read by the device.
    Desired,
    /// Written by the device.
    Reported,
    /// Seen by the service only.
    Tags,
}

/// A cloud-to-device message that reached nobody, or nobody who completed it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Why.
    #[serde(default)]
    pub outcome: Option<DeadLetter>,
    /// The protocol over which it had been handed out.
    #[serde(default)]
    pub delivered_over: Option<Protocol>,
}

/// Why a cloud-to-device message left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "outcome"))]
pub enum DeadLetter {
    /// Its time to live passed.
    Expired,
    /// It was handed out too often.
    DeliveryCountExceeded,
    /// The queue was purged.
    Purged,
}

/// Feedback on a cloud-to-device message.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// What became of the message.
    #[serde(default)]
    pub outcome: Option<FeedbackOutcome>,
}

/// What became of a cloud-to-device message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "outcome"))]
pub enum FeedbackOutcome {
    /// The device completed it.
    Success,
    /// Its time to live passed.
    Expired,
    /// The device gave it back too often.
    DeliveryCountExceeded,
    /// The device rejected it.
    Rejected,
    /// The queue was purged.
    Purged,
}

/// A refused connection.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedMatch {
    /// The device id that was claimed.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// One of the causes.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// Causes of a refusal, as kebab-case words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "cause"))]
pub enum Cause {
    /// The token does not parse.
    SasMalformed,
    /// The token is for another resource.
    SasScopeMismatch,
    /// The signature matches neither key.
    SasInvalidSignature,
    /// The token has expired.
    SasExpired,
    /// The certificate matches neither thumbprint.
    #[serde(rename = "x509-thumbprint-mismatch")]
    X509ThumbprintMismatch,
    /// The certificate has expired.
    #[serde(rename = "x509-expired")]
    X509Expired,
    /// The certificate is not valid yet.
    #[serde(rename = "x509-not-yet-valid")]
    X509NotYetValid,
    /// The chain leads to no registered authority.
    #[serde(rename = "x509-not-trusted")]
    X509NotTrusted,
    /// The common name is not the device id.
    #[serde(rename = "x509-subject-mismatch")]
    X509SubjectMismatch,
    /// The certificate does not parse.
    #[serde(rename = "x509-malformed")]
    X509Malformed,
    /// No such device.
    UnknownDevice,
    /// The device is disabled.
    DeviceDisabled,
    /// The source address is kept out by the hub's network rules.
    IpFiltered,
    /// No credential.
    CredentialMissing,
    /// The wrong kind of credential.
    CredentialKindMismatch,
    /// Not an IoT Hub user name.
    UserNameMalformed,
    /// Not MQTT 3.1.1.
    ProtocolLevel,
    /// The hub's throttle of new connections.
    Throttled,
}

/// A flow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Remote address.
    #[serde(default)]
    #[schemars(schema_with = "format::address")]
    pub remote_address: Option<std::net::IpAddr>,
    /// Remote port.
    #[serde(default)]
    pub remote_port: Option<u16>,
}

/// A direct method.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The method.
    #[serde(default)]
    pub method: Option<String>,
    /// The status the device answered with.
    #[serde(default)]
    pub status: Option<i32>,
    /// IoT Hub's code, where no answer came: `404103`, `504101`, `404104`, `400027`.
    #[serde(default)]
    pub code: Option<u32>,
}

/// A message that the adversary's broker received.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdversaryMatch {
    /// The broker's address in `network.endpoints`.
    #[serde(default)]
    #[schemars(schema_with = "format::endpoint")]
    pub endpoint: Option<SocketAddrV4>,
    /// MQTT topic.
    #[serde(default)]
    pub topic: Option<String>,
}
