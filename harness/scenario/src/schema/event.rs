//! Matchers of the journal's events, for `wait_for` and `proof`.

use std::net::SocketAddrV4;

use hilarm_model::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;

/// An event of the journal; fields that are absent match anything.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "event"))]
pub enum EventMatch {
    /// The hub let a device in.
    ConnectionAccepted(ByDevice),
    /// The hub refused a connection.
    ConnectionRefused(RefusedMatch),
    /// A connection to the hub ended.
    ConnectionClosed(ByDevice),
    /// The hub accepted telemetry.
    TelemetryReceived(ByDevice),
    /// The hub decoded a security message.
    SecurityMessageReceived(ByDevice),
    /// A security message reported a flow.
    FlowReported(FlowMatch),
    /// A twin was changed.
    TwinUpdated(ByDevice),
    /// A twin was read by its device.
    TwinRead(ByDevice),
    /// A direct method had its outcome.
    DirectMethodInvoked(MethodMatch),
    /// A device completed a cloud-to-device message.
    CloudToDeviceCompleted(ByDevice),
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
