//! The world before the scenario begins: devices, certificates, the hub's configuration, the network.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use hilarm_model::{DeviceId, ModuleId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KeySpec, NetworkRulesSpec, RuleSpec, Switch, format};
use crate::duration::Span;

/// A device of the scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpec {
    /// Another device of this scenario whose identity and credentials this one presents to the hub: a clone.
    /// It has none of its own, and to the hub there is only the other one.
    #[serde(default)]
    #[schemars(schema_with = "format::device")]
    pub identity: Option<DeviceId>,
    /// How it authenticates.
    pub auth: Auth,
    /// Its twin tag `SecurityGroup`; `default` when absent.
    #[serde(default)]
    pub security_group: Option<String>,
    /// Whether the hub knows it from the beginning, which is the default; else `put_device` creates it.
    #[serde(default = "registered")]
    pub registered: bool,
    /// Its modules, each with a key of its own.
    #[serde(default)]
    #[schemars(schema_with = "format::modules")]
    pub modules: Vec<ModuleId>,
    /// MQTT keep-alive, 240s by default.
    #[serde(default)]
    pub keep_alive: Option<Span>,
    /// The Defender micro agent on the device.
    #[serde(default)]
    pub agent: AgentSpec,
}

fn registered() -> bool {
    true
}

/// How a device authenticates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "way to authenticate"))]
pub enum Auth {
    /// Symmetric key and SAS tokens.
    Sas(SasAuth),
    /// Certificates by thumbprint.
    X509(X509Auth),
    /// A certificate by the authority that issued it.
    X509Ca(X509CaAuth),
}

/// SAS tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SasAuth {
    /// Lifetime of each token, 1h by default.
    #[serde(default = "Span::one_hour")]
    pub ttl: Span,
    /// Which of its two keys the device holds, the primary by default.
    #[serde(default)]
    pub key: KeySpec,
}

/// Certificates whose thumbprints are registered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct X509Auth {
    /// Name in `certificates` of the one whose thumbprint is primary.
    pub primary: String,
    /// Name in `certificates` of the one to roll over to.
    #[serde(default)]
    pub secondary: Option<String>,
    /// The digest of which the registered thumbprints are, SHA-256 by default.
    #[serde(default)]
    pub digest: DigestSpec,
}

/// The digest of a thumbprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "digest"))]
pub enum DigestSpec {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
}

/// A certificate whose chain leads to an authority of the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct X509CaAuth {
    /// Its name in `certificates`. The hub lets it in when it knows the issuer and the common name is the device's id.
    pub certificate: String,
}

/// A client certificate, made for the run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// Subject common name; the name in `certificates` by default.
    #[serde(default)]
    pub common_name: Option<String>,
    /// How long before the scenario begins it becomes valid, 1d by default.
    #[serde(default = "Span::one_day")]
    pub valid_since: Span,
    /// How long after the scenario begins it becomes valid, in place of `valid_since`.
    #[serde(default)]
    pub valid_from: Option<Span>,
    /// Name in `certificates` of the authority that issues it; it signs itself when absent.
    #[serde(default)]
    pub issued_by: Option<String>,
    /// How long after the scenario begins it stays valid.
    pub valid_for: Span,
}

/// The micro agent's intervals and limits.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Least delay of the first collection, 30s by default.
    #[serde(default)]
    pub first_collection: Option<Span>,
    /// Interval of the network-activity collector, 10s by default; `0s` turns it off.
    #[serde(default)]
    pub network_activity: Option<Span>,
    /// Interval of system information and heartbeat, 60s by default; `0s` turns them off.
    #[serde(default)]
    pub low_priority: Option<Span>,
    /// How many flows the agent remembers between two collections, 64 by default; what comes once they are
    /// used up is reported to nobody. `0` remembers none.
    #[serde(default)]
    pub flow_cache: Option<u16>,
}

/// The hub's configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubSpec {
    /// Security groups by name; each maps the slug of a custom alert to its range or its allow list.
    #[serde(default)]
    #[schemars(schema_with = "format::security_groups")]
    pub security_groups: BTreeMap<String, BTreeMap<String, RuleSpec>>,
    /// Security groups by name, each as Azure's JSON in a file of its own, its path relative to this one.
    /// Once they are read their rules stand among `security_groups`.
    #[serde(default)]
    pub security_group_files: BTreeMap<String, String>,
    /// How the defender treats what Azure cannot do, `extended` by default.
    #[serde(default)]
    pub profile: Option<ProfileSpec>,
    /// Certificates of the hub by their name there; each names one of `certificates`.
    #[serde(default)]
    pub certificates: BTreeMap<String, String>,
    /// Certificates of the hub, as `certificates`, of which possession of the key is still to be proved.
    #[serde(default)]
    pub unverified_certificates: BTreeMap<String, String>,
    /// Security solutions by their name, each with the recommendations that it switches on or off.
    #[serde(default)]
    #[schemars(schema_with = "format::solutions")]
    pub security_solutions: BTreeMap<String, BTreeMap<String, Switch>>,
    /// IoT Hub's operation throttles; none by default.
    #[serde(default)]
    pub throttling: Option<ThrottlingSpec>,
    /// How many messages of 4 KiB the hub takes a day by UTC; not counted by default. An S1 unit has 400000.
    #[serde(default)]
    pub daily_messages: Option<u64>,
    /// Diagnostic settings by their name with the log categories that each enables; `audit` with
    /// `Connections` and `DeviceIdentityOperations` by default.
    #[serde(default)]
    pub diagnostic_settings: Option<BTreeMap<String, Vec<String>>>,
    /// Network rules; by default nobody comes in from outside the device network.
    #[serde(default)]
    pub network_rules: Option<NetworkRulesSpec>,
}

/// IoT Hub's operation throttles.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottlingSpec {
    /// S1 units of the hub.
    #[schemars(range(min = 1))]
    pub units: u32,
    /// So much of its rate an operation may be ahead at once, 1m by default.
    #[serde(default = "Span::one_minute")]
    pub burst: Span,
    /// How far behind its rate an operation's queue may be before the hub refuses, 1m by default.
    #[serde(default = "Span::one_minute")]
    pub queue: Span,
}

/// How the defender treats what Azure cannot do or does not document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "profile"))]
pub enum ProfileSpec {
    /// Beyond Azure where that makes an attack visible.
    Extended,
    /// As Azure, blind spots included.
    AzureFaithful,
}

/// The virtual network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Delay of each packet in each direction.
    #[serde(default)]
    pub latency: Option<Span>,
    /// Lost packets in percent, e.g. `2.5`.
    #[serde(default)]
    pub loss_percent: f64,
    /// What listens at an address: `sink`, `refuse`, `black_hole` or a command-and-control broker.
    #[serde(default)]
    #[schemars(
        with = "BTreeMap<String, EndpointSpec>",
        extend("propertyNames" = format::ENDPOINT.to_value())
    )]
    pub endpoints: BTreeMap<SocketAddrV4, EndpointSpec>,
}

/// What listens at an address.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "endpoint"))]
pub enum EndpointSpec {
    /// Accepts, records, never answers.
    Sink,
    /// Refuses connections.
    Refuse,
    /// Answers nothing at all.
    BlackHole,
    /// A real MQTT broker (rumqttd) in the adversary's hands.
    CommandAndControl(CommandAndControlSpec),
}

/// The adversary's broker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandAndControlSpec {
    /// Orders that wait for bots, retained.
    #[serde(default)]
    pub orders: Vec<OrderSpec>,
}

/// An order to bots.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderSpec {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: String,
}
