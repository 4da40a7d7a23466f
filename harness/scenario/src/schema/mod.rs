//! The shape of a scenario file after parsing. Field names are the YAML keys; unknown keys are errors.
//! Steps, endpoints, authentications and event matchers are single-key maps (externally tagged enums),
//! which keeps error positions exact. These types are also what the JSON schema is generated from.

mod either;
mod event;
pub(crate) mod format;
mod identity;
mod management;
mod reported;
mod resource;
mod rule;
mod service;
mod step;
mod world;

pub use event::*;
pub use identity::*;
pub use management::*;
pub use reported::*;
pub use resource::*;
pub use rule::*;
pub use service::*;
pub use step::*;
pub use world::*;

use std::collections::BTreeMap;

use hilarm_model::DeviceId;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One scenario. Its id is the path of its file, not a field.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format; 1.
    pub schema: u32,
    /// One sentence that says what happens.
    pub name: String,
    /// MITRE ATT&CK technique ids, e.g. `T1550.001`.
    #[serde(default)]
    #[schemars(schema_with = "format::techniques")]
    pub attack: Vec<String>,
    /// Slugs of the detections that this scenario provokes; empty for benign ones.
    #[serde(default)]
    #[schemars(schema_with = "format::alerts")]
    pub detects: Vec<String>,
    /// The boards it runs on; all of them when absent.
    #[serde(default)]
    pub boards: Option<BoardsSpec>,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// The devices by their identity; `pump-{1..100}` is a hundred of them.
    #[schemars(with = "BTreeMap<String, DeviceSpec>", extend("propertyNames" = format::DEVICE.to_value()))]
    pub devices: BTreeMap<DeviceId, DeviceSpec>,
    /// Client certificates by a name of this file's own.
    #[serde(default)]
    pub certificates: BTreeMap<String, CertificateSpec>,
    /// Who calls on the service and management planes, by a name; steps without a caller are the owner's.
    #[serde(default)]
    pub callers: BTreeMap<String, CallerSpec>,
    /// What the hub is configured with before the scenario begins.
    #[serde(default)]
    pub hub: HubSpec,
    /// Addresses and CIDRs that threat intelligence calls suspicious; documentation ranges only.
    #[serde(default, deserialize_with = "format::deserialize_networks")]
    #[schemars(schema_with = "format::networks")]
    pub threat_intelligence: Vec<IpNet>,
    /// The virtual network before the scenario begins.
    #[serde(default)]
    pub network: NetworkSpec,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What must be seen for the attack to have landed; counts are minimums.
    #[serde(default)]
    pub proof: Vec<Proof>,
    /// What must come of it; closed world.
    pub expect: Expect,
    /// Controls left out, each with a reason.
    #[serde(default)]
    pub controls: Controls,
}

impl Scenario {
    /// Why it does not run on a board, if it does not.
    pub fn left_out_of(&self, board: &str) -> Option<&str> {
        let boards = self.boards.as_ref().filter(|boards| !boards.only.iter().any(|only| only == board));
        boards.map(|boards| boards.reason.as_str())
    }

    /// Whom the hub takes a device for: the device itself, unless it is a clone.
    pub fn identity_of<'a>(&'a self, device: &'a DeviceId) -> &'a DeviceId {
        self.devices.get(device).and_then(|spec| spec.identity.as_ref()).unwrap_or(device)
    }
}

pub(crate) fn one() -> u64 {
    1
}

/// The boards that a scenario is for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardsSpec {
    /// Their ids, e.g. `sim`.
    #[schemars(length(min = 1))]
    pub only: Vec<String>,
    /// Why no other.
    pub reason: String,
}

/// What must be seen for the attack to have landed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The event.
    pub event: EventMatch,
    /// How often at least, 1 by default.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u64,
}

/// What must come of the scenario. What is not listed must not come.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Alerts; counts are exact.
    #[serde(default)]
    pub alerts: Vec<ExpectedAlert>,
    /// Recommendations, in whatever state they end.
    #[serde(default)]
    pub recommendations: Vec<ExpectedRecommendation>,
    /// TCP connections that devices made and reported to nobody; not judged when absent.
    #[serde(default)]
    pub unreported_flows: Option<u64>,
}

/// An expected recommendation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRecommendation {
    /// Slug of the recommendation.
    #[schemars(schema_with = "format::recommendation")]
    pub recommendation: String,
    /// Whether it stands at the end.
    pub state: RecommendationState,
    /// The devices it is about; none when it is about the hub.
    #[serde(default)]
    #[schemars(schema_with = "format::devices")]
    pub devices: Vec<DeviceId>,
}

/// Whether a recommendation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "state"))]
pub enum RecommendationState {
    /// The posture is weak.
    Active,
    /// It was, and is no longer.
    Resolved,
}

/// An expected alert.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlert {
    /// Slug of the detection.
    #[schemars(schema_with = "format::alert")]
    pub alert: String,
    /// The device it is about; absent for alerts about the hub.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub device: Option<DeviceId>,
    /// How many such alerts, 1 by default.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u64,
}

/// Controls left out. Both run unless a reason is given here.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    /// Why there is no benign twin.
    #[serde(default)]
    pub skip_benign_twin: Option<String>,
    /// Why there is no boundary.
    #[serde(default)]
    pub skip_boundary: Option<String>,
}
