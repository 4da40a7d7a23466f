//! Steps of the management plane: what an operator, or whoever holds an operator's rights, does to the hub
//! itself. What the hub answers is a fact: proof and expectations judge it, not the step.

use std::collections::{BTreeMap, BTreeSet};

use hilarm_model::{DeviceId, ModuleId};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FilterAction, RuleSpec, format};

/// Somebody on the service or management plane.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerSpec {
    /// What it may do, by Azure's names; nothing by default.
    #[serde(default)]
    pub rights: BTreeSet<RightSpec>,
}

/// Rights of shared access policies and of role assignments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-noun" = "right"))]
pub enum RightSpec {
    /// Read the identity registry.
    RegistryRead,
    /// Write the identity registry.
    RegistryWrite,
    /// Twins, direct methods, cloud-to-device messages.
    ServiceConnect,
    /// Read certificates.
    #[serde(rename = "certificates/read")]
    CertificatesRead,
    /// Write certificates.
    #[serde(rename = "certificates/write")]
    CertificatesWrite,
    /// Delete certificates.
    #[serde(rename = "certificates/delete")]
    CertificatesDelete,
    /// Write diagnostic settings.
    #[serde(rename = "diagnosticSettings/write")]
    DiagnosticSettingsWrite,
    /// Delete diagnostic settings.
    #[serde(rename = "diagnosticSettings/delete")]
    DiagnosticSettingsDelete,
    /// Read the hub's properties.
    #[serde(rename = "IotHubs/read")]
    HubRead,
    /// Write the hub's properties, its network rules among them.
    #[serde(rename = "IotHubs/write")]
    HubWrite,
    /// Read what Defender is configured with.
    #[serde(rename = "security/read")]
    SecurityRead,
    /// Write what Defender is configured with.
    #[serde(rename = "security/write")]
    SecurityWrite,
}

/// Writing a certificate of the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutCertificate {
    /// Its name on the hub.
    pub name: String,
    /// Name in `certificates`, or `invalid` for bytes that are none.
    pub certificate: String,
    /// Whether it counts as verified at once, which is the default; else possession of its key is still to be proved.
    #[serde(default = "yes")]
    pub verified: bool,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
    #[serde(default)]
    pub if_match: Option<String>,
}

fn yes() -> bool {
    true
}

/// Deleting a certificate of the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteCertificate {
    /// Its name on the hub.
    pub name: String,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
    #[serde(default)]
    pub if_match: Option<String>,
}

/// Deleting a diagnostic setting of the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteDiagnosticSetting {
    /// Its name on the hub.
    pub name: String,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// Writing a diagnostic setting of the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDiagnosticSetting {
    /// Its name.
    pub name: String,
    /// Log categories that it enables, such as `Connections`.
    pub categories: Vec<String>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// Replacing the hub's network rules.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNetworkRules {
    /// What happens to an address that no rule names.
    pub default_action: FilterAction,
    /// Rules in order; the first that covers an address decides.
    #[serde(default)]
    pub rules: Vec<NetworkRuleSpec>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// Replacing the hub's network rules by IP filters, the older model: whom no filter names is let in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetIpFilter {
    /// Filters in order; the first that covers an address decides.
    pub rules: Vec<NetworkRuleSpec>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `403000`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// The hub's network rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkRulesSpec {
    /// What happens to an address that no rule names.
    pub default_action: FilterAction,
    /// Rules in order; the first that covers an address decides.
    #[serde(default)]
    pub rules: Vec<NetworkRuleSpec>,
}

/// One network rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkRuleSpec {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: FilterAction,
    /// Whom it covers: an address or a CIDR.
    #[serde(deserialize_with = "format::deserialize_network")]
    #[schemars(schema_with = "format::network_schema")]
    pub network: IpNet,
}

/// Creating or replacing a security group, by `rules` or by a `file`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSecurityGroup {
    /// Its name.
    pub name: String,
    /// Its enabled rules, by the alert of each.
    #[serde(default)]
    #[schemars(schema_with = "format::security_group")]
    pub rules: BTreeMap<String, RuleSpec>,
    /// Azure's JSON in a file, its path relative to this one; once it is read its rules stand in `rules`.
    #[serde(default)]
    pub file: Option<String>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// Replacing the threat-intelligence list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadThreatIntelligence {
    /// Addresses and CIDRs; documentation ranges only.
    #[serde(deserialize_with = "format::deserialize_networks")]
    #[schemars(schema_with = "format::networks")]
    pub networks: Vec<IpNet>,
}

/// Turning the knobs of the defender that Azure turns itself; what is absent has its default.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TuneDefender {
    /// Updates of device twins count like those of module twins; `false` when absent.
    #[serde(default)]
    pub include_device_twins: Option<bool>,
    /// An allowed network of more IPv4 addresses than this is too large; 65536 when absent.
    #[serde(default)]
    pub allowed_network_addresses_max: Option<u64>,
}

/// Replacing a key of a device by a fresh one, of which the device hears nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// The device.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// One of the device's modules, for the module's key.
    #[serde(default)]
    #[schemars(schema_with = "format::module")]
    pub module: Option<ModuleId>,
    /// Which key, the primary by default.
    #[serde(default)]
    pub key: KeySpec,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// IoT Hub's code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Registering the primary key of one device for another one, too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyKey {
    /// The device that gets the key; its own key in that place is valid no longer.
    #[schemars(schema_with = "format::device")]
    pub device: DeviceId,
    /// The device whose key it is.
    #[schemars(schema_with = "format::device")]
    pub from: DeviceId,
    /// Which key it becomes, the primary by default.
    #[serde(default)]
    pub key: KeySpec,
}

/// One of a device's two keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "key"))]
pub enum KeySpec {
    /// The primary key.
    #[default]
    Primary,
    /// The secondary key.
    Secondary,
}
