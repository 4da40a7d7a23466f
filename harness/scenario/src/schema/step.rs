//! What happens: steps of the device, of the hub's service side, of the network, and of time.

use std::collections::BTreeMap;

use hilarm_model::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ByService, CopyKey, DeleteCertificate, DeleteDevice, DeleteDiagnosticSetting, DeleteModule,
    DeleteResource, EventMatch, GenerateVerificationCode, GetDevice, GetHub, GetResource, GetTwin,
    InvokeMethod, LoadThreatIntelligence, ModuleByService, PatchDesired, PatchTags, PutCertificate,
    PutDevice, PutDiagnosticSetting, PutHubProperties, PutSecurityGroup, RotateKey, SecuritySolutionSpec,
    SendCloudToDevice, SetDevice, SetIpFilter, SetNetworkRules, TakeFeedback, TakeFileNotifications,
    TuneDefender, VerifyCertificate, WriteTwin, format, one,
};
use crate::duration::Span;

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "step"))]
pub enum Step {
    /// The device connects; the step ends when it was let in, or its tries are used up.
    Connect(Connect),
    /// The device disconnects in order.
    Disconnect(DeviceStep),
    /// The device disconnects and connects again.
    Reconnect(Connect),
    /// A behaviour starts on the device.
    Behaviour(BehaviourStep),
    /// A behaviour stops.
    StopBehaviour(StopBehaviour),
    /// The device sends telemetry; the step ends when the last message is acknowledged.
    SendTelemetry(SendTelemetry),
    /// The device receives cloud-to-device messages over HTTPS; the step ends when it has settled as many.
    ReceiveHttps(ReceiveHttps),
    /// The device uploads a file; the step ends when the hub knows of it.
    UploadFile(UploadFile),
    /// The device reads its twin.
    ReadTwin(DeviceStep),
    /// The device changes its reported properties.
    ReportProperties(Properties),
    /// The service changes desired properties.
    PatchDesired(PatchDesired),
    /// The service changes tags.
    PatchTags(PatchTags),
    /// The service invokes a direct method; the step ends with its outcome.
    InvokeMethod(InvokeMethod),
    /// The service sends cloud-to-device messages.
    SendCloudToDevice(SendCloudToDevice),
    /// The service writes tags and desired properties of a twin.
    WriteTwin(WriteTwin),
    /// The service reads a twin; the step fails when the answer is another.
    GetTwin(GetTwin),
    /// The service takes the notices of completed file uploads that wait for it; none is no error.
    TakeFileNotifications(TakeFileNotifications),
    /// The service takes the feedback on cloud-to-device messages that waits for it; none is no error.
    TakeFeedback(TakeFeedback),
    /// The service drops every message that waits for a device.
    PurgeQueue(ByService),
    /// The service enables or disables a device.
    SetDevice(SetDevice),
    /// The service creates a device's identity, or replaces its credentials.
    PutDevice(PutDevice),
    /// The service reads a device's identity; the step fails when the answer is another.
    GetDevice(GetDevice),
    /// The service deletes a device's identity.
    DeleteDevice(DeleteDevice),
    /// The service creates a module's identity.
    PutModule(ModuleByService),
    /// The service deletes a module's identity with its twin.
    DeleteModule(DeleteModule),
    /// A key of a device is replaced.
    RotateKey(RotateKey),
    /// A device is given the key of another one.
    CopyKey(CopyKey),
    /// Somebody writes a certificate of the hub, or tries to.
    PutCertificate(PutCertificate),
    /// Somebody has the hub generate the code that a verification certificate must name.
    GenerateVerificationCode(GenerateVerificationCode),
    /// Somebody proves possession of a certificate's key, or tries to.
    VerifyCertificate(VerifyCertificate),
    /// Somebody reads a certificate of the hub; the step fails when the answer is another.
    GetCertificate(GetResource),
    /// Somebody deletes a certificate of the hub, or tries to.
    DeleteCertificate(DeleteCertificate),
    /// Somebody writes a diagnostic setting of the hub, or tries to.
    PutDiagnosticSetting(PutDiagnosticSetting),
    /// Somebody reads a diagnostic setting of the hub; the step fails when the answer is another.
    GetDiagnosticSetting(GetResource),
    /// Somebody deletes a diagnostic setting of the hub, or tries to.
    DeleteDiagnosticSetting(DeleteDiagnosticSetting),
    /// Somebody replaces the hub's network rules, or tries to.
    SetNetworkRules(SetNetworkRules),
    /// Somebody replaces the hub's network rules by IP filters, the older model.
    SetIpFilter(SetIpFilter),
    /// Somebody changes how the hub keeps and tells of messages and uploads.
    PutHubProperties(PutHubProperties),
    /// Somebody reads the hub's properties; the step fails when the answer is another.
    GetHub(GetHub),
    /// A security group is created or replaced.
    PutSecurityGroup(PutSecurityGroup),
    /// Somebody reads a security group; the step fails when the answer is another.
    GetSecurityGroup(GetResource),
    /// A security group is deleted.
    DeleteSecurityGroup(DeleteResource),
    /// A security solution is created or replaced.
    PutSecuritySolution(SecuritySolutionSpec),
    /// A security solution is changed as far as the step states it.
    PatchSecuritySolution(SecuritySolutionSpec),
    /// Somebody reads a security solution; the step fails when the answer is another.
    GetSecuritySolution(GetResource),
    /// A security solution is deleted.
    DeleteSecuritySolution(DeleteResource),
    /// The threat-intelligence list is replaced.
    LoadThreatIntelligence(LoadThreatIntelligence),
    /// The defender is tuned.
    TuneDefender(TuneDefender),
    /// Everything lives on for this long.
    RunFor(Span),
    /// The calendar jumps; monotonic time stays.
    Advance(Advance),
    /// The world runs until an event is seen (events since the previous step count).
    WaitFor(WaitFor),
    /// The network of one device, or of all, changes.
    Network(NetworkStep),
    /// The attack, and what the benign twin does in its place.
    Malicious(Malicious),
    /// Branches that go on side by side; ends with the last.
    Parallel(Vec<Vec<Step>>),
    /// The same steps again and again.
    Repeat(Repeat),
}

/// A step that only names a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceStep {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
}

/// Connecting.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Bound on the tries; until it succeeds when absent.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub attempts: Option<u16>,
    /// Pause between tries; the agent's own back-off when absent.
    #[serde(default)]
    pub gap: Option<Span>,
}

/// Starting a behaviour.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourStep {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Name of the behaviour.
    #[schemars(schema_with = "format::behaviour")]
    pub run: String,
    /// Its parameters.
    #[serde(default)]
    pub with: BTreeMap<String, Argument>,
}

/// A parameter of a behaviour: a number, or text (an address, the name of a certificate).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
}

/// Stopping a behaviour.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopBehaviour {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Name of the behaviour.
    #[schemars(schema_with = "format::behaviour")]
    pub stop: String,
}

/// Sending telemetry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendTelemetry {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// How many messages.
    #[schemars(range(min = 1))]
    pub count: u32,
    /// Pause between two, 1s by default.
    #[serde(default = "Span::one_second")]
    pub every: Span,
    /// Length of each payload, 64 by default.
    #[serde(default = "default_payload_bytes")]
    pub payload_bytes: u16,
    /// The protocol, `mqtt` by default. Over HTTPS no connection is needed: each message proves the device anew.
    #[serde(default)]
    pub over: Transport,
}

/// What a device's telemetry goes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "protocol"))]
pub enum Transport {
    /// The connection that the device has.
    #[default]
    Mqtt,
    /// A request for each message.
    Https,
}

/// Receiving cloud-to-device messages over HTTPS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveHttps {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// How many messages, 1 by default; it looks once a second while none waits.
    #[serde(default = "one_message")]
    #[schemars(range(min = 1))]
    pub count: u32,
    /// What becomes of each, `complete` by default.
    #[serde(default)]
    pub disposition: Disposition,
}

/// What a device does with a cloud-to-device message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "disposition"))]
pub enum Disposition {
    /// It is done with it.
    #[default]
    Complete,
    /// It does not want it.
    Reject,
    /// It gives it back to the queue.
    Abandon,
}

/// Uploading a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadFile {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Its name, without the device's folder.
    pub name: String,
    /// Its length, 1024 by default.
    #[serde(default = "default_file_bytes")]
    pub size_bytes: u32,
}

fn one_message() -> u32 {
    1
}

fn default_file_bytes() -> u32 {
    1024
}

fn default_payload_bytes() -> u16 {
    64
}

/// A change of reported properties.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Properties {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// The patch; null removes a property.
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// A jump of the calendar.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Advance {
    /// For the hub and for what devices are told.
    World(Span),
    /// For the hub alone.
    HubOnly(HubOnly),
}

/// A jump of the hub's calendar alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubOnly {
    /// How far.
    pub hub: Span,
}

/// Waiting for an event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitFor {
    /// The event.
    pub event: EventMatch,
    /// How often it must be seen, 1 by default.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u64,
    /// How long to wait at most, in the scenario's time.
    pub within: Span,
}

/// A change of the network; what is absent stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkStep {
    /// The device; all when absent.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Delay of each packet in each direction.
    #[serde(default)]
    pub latency: Option<Span>,
    /// Lost packets in percent.
    #[serde(default)]
    pub loss_percent: Option<f64>,
    /// Whether everything is lost.
    #[serde(default)]
    pub partition: Option<bool>,
}

/// The attack.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Malicious {
    /// The malicious steps.
    #[serde(rename = "do")]
    #[schemars(length(min = 1))]
    pub attack: Vec<Step>,
    /// What the benign twin does in their place.
    pub benign: Vec<Step>,
}

/// Repetition.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    #[schemars(range(min = 1))]
    pub times: u32,
    /// The steps.
    pub steps: Vec<Step>,
}
