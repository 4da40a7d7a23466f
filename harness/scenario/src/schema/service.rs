//! Steps of the hub's service side: what a back end asks of the hub.

use hilarm_model::{DeviceId, ModuleId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Disposition, format, one};
use crate::duration::Span;

/// A change of desired properties by the service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchDesired {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's twin.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// The patch; null removes a property.
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// A change of tags by the service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTags {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's twin.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// The patch; null removes a tag.
    pub tags: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Invoking a direct method.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeMethod {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's method.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// Name of the method.
    pub method: String,
    /// Payload, null by default.
    #[serde(default)]
    pub payload: serde_json::Value,
    /// How long the hub waits for the answer, 30s by default.
    #[serde(default = "Span::thirty_seconds")]
    pub timeout: Span,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Sending cloud-to-device messages.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendCloudToDevice {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Payload.
    pub payload: String,
    /// Message id; the step's place when absent. Of several messages each has its number behind it.
    #[serde(default)]
    pub message_id: Option<String>,
    /// How many messages, 1 by default. A device's queue holds 50.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u64,
    /// How long the hub keeps each by its calendar; the hub's default when absent.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// Of which ends the sender wants to hear, `none` by default.
    #[serde(default)]
    pub ack: Acknowledgement,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// The ends of a cloud-to-device message of which its sender wants feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "acknowledgement"))]
pub enum Acknowledgement {
    /// None of them.
    #[default]
    None,
    /// That the device completed it.
    Positive,
    /// Every other one.
    Negative,
    /// Whatever it is.
    Full,
}

/// Taking the feedback that waits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeFeedback {
    /// What becomes of it, `complete` by default; what is given back is told again.
    #[serde(default)]
    pub disposition: Disposition,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Taking the notices of completed file uploads that wait.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeFileNotifications {
    /// What becomes of each, `complete` by default; one that is given back is told again.
    #[serde(default)]
    pub disposition: Disposition,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `401002`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Something that the service does to a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByService {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Enabling or disabling a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDevice {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// Whether it may connect.
    pub enabled: bool,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}
