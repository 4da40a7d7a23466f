//! The hub itself as a resource (`Microsoft.Devices/IotHubs`): its network rules and what it does with
//! cloud-to-device messages, written and read as Azure's JSON. Other properties are passed over.

use std::time::Duration;

use hilarm_model::Now;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer, duration, hub_id, network};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

/// IoT Hub's bounds of the default lifetime, and of the number of deliveries.
const TTL_S: std::ops::RangeInclusive<u64> = 60..=172_800;
const DELIVERIES: std::ops::RangeInclusive<u32> = 1..=100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawProperties {
    #[serde(default)]
    cloud_to_device: RawCloudToDevice,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCloudToDevice {
    max_delivery_count: Option<u32>,
    default_ttl_as_iso8601: Option<String>,
}

/// What the hub does with cloud-to-device messages, as far as a body states it.
struct CloudToDevice {
    deliveries_max: Option<u32>,
    ttl: Option<Duration>,
}

fn read(properties: &Value) -> Result<CloudToDevice, HubError> {
    let invalid = |why: String| HubError::ArgumentInvalid(why);
    let raw = RawProperties::deserialize(properties).map_err(|why| invalid(why.to_string()))?;
    let RawCloudToDevice { max_delivery_count: deliveries_max, default_ttl_as_iso8601 } = raw.cloud_to_device;
    if deliveries_max.is_some_and(|count| !DELIVERIES.contains(&count)) {
        return Err(invalid("maxDeliveryCount lies outside 1 to 100".into()));
    }
    let ttl = default_ttl_as_iso8601.map(|text| {
        let ttl = duration::parse(&text).filter(|ttl| TTL_S.contains(&ttl.as_secs()));
        ttl.ok_or_else(|| invalid("defaultTtlAsIso8601 lies outside 1 minute to 2 days".into()))
    });
    Ok(CloudToDevice { deliveries_max, ttl: ttl.transpose()? })
}

impl Core {
    /// All of it or nothing.
    pub(in crate::core) fn put_hub_properties(
        &mut self,
        json: &Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let properties = json.get("properties").filter(|properties| properties.is_object());
        let properties =
            properties.ok_or_else(|| HubError::ArgumentInvalid("properties is no object".into()))?;
        let (rules, cloud_to_device) = (network::read(properties)?, read(properties)?);
        self.set_network_rules(rules, now);
        let config = &mut self.config;
        config.delivery_count_max = cloud_to_device.deliveries_max.unwrap_or(config.delivery_count_max);
        config.cloud_to_device_ttl = cloud_to_device.ttl.unwrap_or(config.cloud_to_device_ttl);
        Ok(self.hub_properties())
    }

    pub(in crate::core) fn hub_properties(&self) -> ServiceReply {
        let mut properties = network::write(self.management.network.rules());
        if let Some(properties) = properties.as_object_mut() {
            let ttl = format!("PT{}S", self.config.cloud_to_device_ttl.as_secs());
            let cloud_to_device =
                json!({ "maxDeliveryCount": self.config.delivery_count_max, "defaultTtlAsIso8601": ttl });
            properties.insert("cloudToDevice".into(), cloud_to_device);
            properties.insert("hostName".into(), self.config.host.as_str().into());
            properties.insert("state".into(), "Active".into());
        }
        let hub = hub_id(&self.config.host);
        let name = hub.rsplit('/').next().unwrap_or_default();
        let kind = "Microsoft.Devices/IotHubs";
        answer(200, json!({ "id": hub, "name": name, "type": kind, "properties": properties }))
    }
}
