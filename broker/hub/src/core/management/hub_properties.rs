//! The hub itself as a resource (`Microsoft.Devices/IotHubs`): its network rules, what it does with
//! cloud-to-device messages, and how it tells of their ends and of file uploads, written and read as Azure's JSON.
//! Other properties are passed over.

use std::ops::RangeInclusive;
use std::time::Duration;

use hilarm_model::Now;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer, duration, hub_id, network};
use crate::config::{HubConfig, Telling};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

/// IoT Hub's bounds of lifetimes, locks, and the number of deliveries.
const TTL_S: RangeInclusive<u64> = 60..=172_800;
const LOCK_S: RangeInclusive<u64> = 5..=300;
const DELIVERIES: RangeInclusive<u32> = 1..=100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawProperties {
    #[serde(default)]
    cloud_to_device: RawCloudToDevice,
    #[serde(default)]
    messaging_endpoints: RawEndpoints,
    enable_file_upload_notifications: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEndpoints {
    #[serde(default)]
    file_notifications: RawTelling,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTelling {
    lock_duration_as_iso8601: Option<String>,
    ttl_as_iso8601: Option<String>,
    max_delivery_count: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCloudToDevice {
    max_delivery_count: Option<u32>,
    default_ttl_as_iso8601: Option<String>,
    #[serde(default)]
    feedback: RawTelling,
}

/// The configuration with the properties that a body states. Those that it leaves out have IoT Hub's defaults, for a PUT
/// replaces the resource.
fn read(properties: &Value, config: &HubConfig) -> Result<HubConfig, HubError> {
    let default = HubConfig::default();
    let raw = RawProperties::deserialize(properties);
    let raw = raw.map_err(|why| HubError::ArgumentInvalid(why.to_string()))?;
    let messages = raw.cloud_to_device;
    let deliveries = count("maxDeliveryCount", messages.max_delivery_count)?;
    let ttl = span("defaultTtlAsIso8601", messages.default_ttl_as_iso8601.as_deref(), TTL_S)?;
    let notices = telling(&raw.messaging_endpoints.file_notifications)?;
    let enabled = raw.enable_file_upload_notifications.unwrap_or(default.file_notifications.is_some());
    Ok(HubConfig {
        delivery_count_max: deliveries.unwrap_or(default.delivery_count_max),
        cloud_to_device_ttl: ttl.unwrap_or(default.cloud_to_device_ttl),
        feedback: telling(&messages.feedback)?,
        file_notifications: enabled.then_some(notices),
        ..config.clone()
    })
}

fn telling(raw: &RawTelling) -> Result<Telling, HubError> {
    let default = Telling::DEFAULT;
    let deliveries = count("maxDeliveryCount", raw.max_delivery_count)?;
    Ok(Telling {
        ttl: span("ttlAsIso8601", raw.ttl_as_iso8601.as_deref(), TTL_S)?.unwrap_or(default.ttl),
        lock: span("lockDurationAsIso8601", raw.lock_duration_as_iso8601.as_deref(), LOCK_S)?
            .unwrap_or(default.lock),
        delivery_count_max: deliveries.unwrap_or(default.delivery_count_max),
    })
}

fn count(name: &str, stated: Option<u32>) -> Result<Option<u32>, HubError> {
    if stated.is_some_and(|count| !DELIVERIES.contains(&count)) {
        return Err(HubError::ArgumentInvalid(format!("{name} lies outside 1 to 100")));
    }
    Ok(stated)
}

/// A duration within its bounds in seconds.
fn span(name: &str, stated: Option<&str>, bounds: RangeInclusive<u64>) -> Result<Option<Duration>, HubError> {
    let Some(text) = stated else { return Ok(None) };
    let within = duration::parse(text).filter(|span| bounds.contains(&span.as_secs()));
    let (start, end) = (bounds.start(), bounds.end());
    let outside = || HubError::ArgumentInvalid(format!("{name} lies outside {start} to {end} seconds"));
    within.map(Some).ok_or_else(outside)
}

fn told(limits: Telling) -> Value {
    json!({
        "lockDurationAsIso8601": format!("PT{}S", limits.lock.as_secs()),
        "ttlAsIso8601": format!("PT{}S", limits.ttl.as_secs()),
        "maxDeliveryCount": limits.delivery_count_max,
    })
}

impl Core {
    /// All of it or nothing. Network rules that stay as they are are no fact.
    pub(in crate::core) fn put_hub_properties(
        &mut self,
        json: &Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let properties = json.get("properties").filter(|properties| properties.is_object());
        let properties =
            properties.ok_or_else(|| HubError::ArgumentInvalid("properties is no object".into()))?;
        let (rules, config) = (network::read(properties)?, read(properties, &self.config)?);
        if rules != *self.management.network.rules() {
            self.set_network_rules(rules, now);
        }
        self.config = config;
        Ok(self.hub_properties())
    }

    pub(in crate::core) fn hub_properties(&self) -> ServiceReply {
        let mut properties = network::write(self.management.network.rules());
        if let Some(properties) = properties.as_object_mut() {
            let ttl = format!("PT{}S", self.config.cloud_to_device_ttl.as_secs());
            let cloud_to_device = json!({
                "maxDeliveryCount": self.config.delivery_count_max,
                "defaultTtlAsIso8601": ttl,
                "feedback": told(self.config.feedback),
            });
            properties.insert("cloudToDevice".into(), cloud_to_device);
            let notices = told(self.config.file_notifications.unwrap_or(Telling::DEFAULT));
            properties.insert("messagingEndpoints".into(), json!({ "fileNotifications": notices }));
            let enabled = self.config.file_notifications.is_some();
            properties.insert("enableFileUploadNotifications".into(), enabled.into());
            properties.insert("hostName".into(), self.config.host.as_str().into());
            properties.insert("state".into(), "Active".into());
        }
        let hub = hub_id(&self.config.host);
        let name = hub.rsplit('/').next().unwrap_or_default();
        let kind = "Microsoft.Devices/IotHubs";
        answer(200, json!({ "id": hub, "name": name, "type": kind, "properties": properties }))
    }
}
