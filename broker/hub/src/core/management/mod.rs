//! The management plane: what Azure Resource Manager holds of a hub beside its identities. Certificates
//! (`certificates`), diagnostic settings (`diagnostics`), network rules (`network`,
//! `hub_properties`), and what Defender is configured with (`security_groups`, `security_solutions`). Answers have the shapes of ARM.

pub(super) mod certificates;
pub(super) mod diagnostics;
mod duration;
mod hub_properties;
pub(super) mod network;
pub(crate) mod security_group_body;
pub(super) mod security_groups;
pub(super) mod security_solutions;

use std::collections::BTreeMap;

use serde_json::Value;

use self::certificates::Certificate;
use self::network::Network;
use self::security_group_body::StoredGroup;
use crate::service::{ManagedReply, ServiceReply};

/// Everything that the management plane holds.
#[derive(Debug, Default)]
pub(super) struct Management {
    pub(super) certificates: BTreeMap<String, Certificate>,
    /// Enabled log categories by the name of the setting.
    pub(super) diagnostics: BTreeMap<String, Vec<String>>,
    pub(super) network: Network,
    /// By the name in lower case.
    pub(super) security_groups: BTreeMap<String, StoredGroup>,
    /// Properties by name.
    pub(super) security_solutions: BTreeMap<String, Value>,
}

/// The id of a hub among Azure's resources. Nothing judges subscription and group, so they are fixed.
pub(super) fn hub_id(host: &str) -> String {
    let hub = host.split('.').next().unwrap_or(host);
    let subscription = "00000000-0000-0000-0000-000000000000";
    format!("/subscriptions/{subscription}/resourceGroups/hilarm/providers/Microsoft.Devices/IotHubs/{hub}")
}

/// An answer without an ETag.
pub(super) fn answer(status: u16, body: Value) -> ServiceReply {
    ServiceReply::Managed(ManagedReply { status, etag: None, body })
}

/// 200 for a resource that was there, 201 for a new one.
pub(super) fn written(existed: bool) -> u16 {
    if existed { 200 } else { 201 }
}

/// 200 for a resource that was there, 204 when there was none.
pub(super) fn deleted(existed: bool) -> ServiceReply {
    answer(if existed { 200 } else { 204 }, Value::Null)
}
