//! Matchers of security events that no detection judges: firewall, users, hardware and the like, by what they say.

use std::collections::BTreeMap;

use hilarm_model::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;

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
