//! Steps of the identity registry: creating, replacing and deleting identities, and twins as the service writes them.

use hilarm_model::{DeviceId, ModuleId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;

/// Creating a device identity, or replacing its credentials.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDevice {
    /// The device; its credentials are those that it has in `devices`.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// The ETag that the identity must have, `*` for any. Without it the identity is created, and must not exist.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Whether the request states no credentials: the hub mints new keys then, of which the device hears nothing.
    #[serde(default)]
    pub mint_keys: bool,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `409001`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Deleting a device identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteDevice {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// The ETag that the identity must have, `*` for any. Without it the hub refuses with 412001.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `412001`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Deleting a module identity of a device with its twin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteModule {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of its `modules`.
    #[schemars(schema_with = "format::module")]
    pub module: ModuleId,
    /// `*`: no answer of the hub shows the ETag of a module. Without it the hub refuses with 412001.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `404010`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Creating a module identity of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleByService {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of its `modules`.
    #[schemars(schema_with = "format::module")]
    pub module: ModuleId,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `409301`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Writing tags and desired properties of a twin in one request, all of it or nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteTwin {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's twin.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// Tags; null removes one.
    #[serde(default)]
    pub tags: Option<serde_json::Map<String, serde_json::Value>>,
    /// Desired properties; null removes one.
    #[serde(default)]
    pub desired: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether what is stated replaces what is there, rather than being merged into it.
    #[serde(default)]
    pub replace: bool,
    /// The ETag that the twin must have, `*` for any; without it nothing is checked.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `412001`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Reading a device identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetDevice {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// What the answer must hold: `status`, `connectionState`, `cloudToDeviceMessageCount`, `etag`.
    #[serde(default)]
    pub contains: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `404001`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Reading a twin as the service sees it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetTwin {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's twin.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// What the answer must hold, e.g. `{ tags: { SecurityGroup: plant } }`.
    #[serde(default)]
    pub contains: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `404010`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}
