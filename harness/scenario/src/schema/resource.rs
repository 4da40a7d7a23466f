//! Steps of the management plane that prove, configure, read and delete resources of the hub.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;
use crate::duration::Span;

/// Having the hub generate the code that a verification certificate must name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateVerificationCode {
    /// Name of the certificate on the hub.
    pub name: String,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `404008`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Proving possession of a certificate's key by a certificate that the key signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyCertificate {
    /// Name of the certificate on the hub.
    pub name: String,
    /// Name in `certificates` of the authority whose key signs the proof.
    pub signed_by: String,
    /// The code that the proof names; the one that the hub generated last when absent.
    #[serde(default)]
    pub code: Option<String>,
    /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// Changing properties of the hub: they are read, changed and written, and what is absent stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutHubProperties {
    /// How often a device may give a cloud-to-device message back, 1 to 100.
    #[serde(default)]
    pub max_delivery_count: Option<u32>,
    /// How long the hub keeps a cloud-to-device message whose sender states nothing, 1m to 2d.
    #[serde(default)]
    pub default_ttl: Option<Span>,
    /// How feedback on cloud-to-device messages is told.
    #[serde(default)]
    pub feedback: TellingSpec,
    /// How completed file uploads are told.
    #[serde(default)]
    pub file_notifications: TellingSpec,
    /// Whether completed file uploads are told.
    #[serde(default)]
    pub notify_of_file_uploads: Option<bool>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `400004`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// How the hub tells the service what it has to tell; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TellingSpec {
    /// How long it is kept, 1m to 2d.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// How long it stays locked for whoever received it, 5s to 300s.
    #[serde(default)]
    pub lock: Option<Span>,
    /// How often it may be given back, 1 to 100.
    #[serde(default)]
    pub max_delivery_count: Option<u32>,
}

/// A security solution: creating or replacing it, or changing what is stated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecuritySolutionSpec {
    /// Its name.
    pub name: String,
    /// Whether it as a whole is in force.
    #[serde(default)]
    pub status: Option<Switch>,
    /// Which recommendations are given.
    #[serde(default)]
    #[schemars(schema_with = "format::recommendations")]
    pub recommendations: BTreeMap<String, Switch>,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `404000`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Whether something is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("x-noun" = "status"))]
pub enum Switch {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

/// Deleting a resource of the hub; deleting none is no error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteResource {
    /// Its name.
    pub name: String,
    /// Who does it, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `403000`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Reading a resource of the hub as Azure's JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetResource {
    /// Its name.
    pub name: String,
    /// What its `properties` must hold; lists must hold each item that is stated.
    #[serde(default)]
    pub contains: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `404000`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}

/// Reading the hub's properties as Azure's JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetHub {
    /// What they must hold, e.g. `{ networkRuleSets: { defaultAction: Deny } }`; lists must hold each item that is stated.
    #[serde(default)]
    pub contains: serde_json::Map<String, serde_json::Value>,
    /// Who asks, in `callers`; the owner when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// The code of the refusal that is wanted, e.g. `403000`; being served is an error then.
    #[serde(default)]
    pub refused: Option<u32>,
}
