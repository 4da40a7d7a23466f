//! Matchers of what agents report: flows, logins, processes and ports, everything that no detection judges, and what
//! did not decode.

use std::collections::BTreeMap;

use hilarm_model::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;

/// A message that called itself a security message and did not decode.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectedMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// What was wrong with it, as the hub words it, or a part of that, e.g. `AgentId is not a GUID`.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A flow as a security message tells it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedFlowMatch {
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
    /// The direction that the agent states. ConnectionCreate has one, NetworkActivity none.
    #[serde(default)]
    pub direction: Option<FlowDirection>,
}

/// Which side opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "direction"))]
pub enum FlowDirection {
    /// The other one.
    In,
    /// The device.
    Out,
}

/// An attempt to sign in on the device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// The user.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether it succeeded.
    #[serde(default)]
    pub success: Option<bool>,
}

/// A started process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Path of the executable.
    #[serde(default)]
    pub executable: Option<String>,
}

/// Ports that a device listens on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListeningMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// A port among them.
    #[serde(default)]
    pub port: Option<u16>,
}

/// A security event that no detection judges.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedMatch {
    /// The device.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// Its name.
    #[serde(default)]
    pub name: Option<RecordedName>,
    /// What one of its items says: fields by their names in the schema of agents' messages, all of them as text, e.g.
    /// `{ Enabled: "false" }`. Other fields of the item may hold anything.
    #[serde(default)]
    pub item: BTreeMap<String, String>,
}

/// Names of security events that no detection judges, as agents send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-noun" = "security event"))]
pub enum RecordedName {
    /// A process was forked. Only an agent that speaks FlatBuffers tells of it.
    Process,
    /// A process ended.
    ProcessTerminate,
    /// The rules of the device's firewall.
    FirewallConfiguration,
    /// The users of the device, with their groups.
    LocalUsers,
    /// The hardware of the device and what is plugged in.
    ConnectedHardware,
    /// What the device was checked for, and the results.
    #[serde(rename = "OSBaseline")]
    OsBaseline,
    /// A line of the agent's own log.
    Diagnostic,
    /// A setting that the agent cannot use.
    ConfigurationError,
    /// Events that the agent lost.
    DroppedEventsStatistics,
    /// Messages that the agent sent.
    MessageStatistics,
}

impl RecordedName {
    /// The name as agents send it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "Process",
            Self::ProcessTerminate => "ProcessTerminate",
            Self::FirewallConfiguration => "FirewallConfiguration",
            Self::LocalUsers => "LocalUsers",
            Self::ConnectedHardware => "ConnectedHardware",
            Self::OsBaseline => "OSBaseline",
            Self::Diagnostic => "Diagnostic",
            Self::ConfigurationError => "ConfigurationError",
            Self::DroppedEventsStatistics => "DroppedEventsStatistics",
            Self::MessageStatistics => "MessageStatistics",
        }
    }
}
