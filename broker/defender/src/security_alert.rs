//! An alert in the shape of Log Analytics' `SecurityAlert` table (defender.md 4.1).
//!
//! Every column is there; those that a local stand-in cannot know are empty. Pure: the same alert in the
//! same scenario gives the same bytes, ids included.

use std::collections::BTreeSet;

use hilarm_model::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alert::{Alert, Entity, Subject};
use crate::attack::tactics;
use crate::catalogue::detection;
use crate::detection::Detection;
use crate::posture::Recommendation;

/// Namespace of all ids that hilarm derives: UUIDv5 of the URL of its repository.
const HILARM: Uuid = Uuid::from_u128(0x6c1a_ffa5_1799_59ee_bed4_8bb6_4415_489c);

/// The placeholder for the hub's name.
const HUB_NAME: &str = "DescIoTHubName";

/// What an alert does not know about the world it was raised in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertContext {
    /// Name of the IoT Hub.
    pub hub_name: String,
    /// Subscription of the hub and of the workspace.
    pub subscription_id: String,
    /// Resource group of the hub and of the workspace.
    pub resource_group: String,
    /// Namespace of the alerts' ids: one a scenario.
    pub namespace: Uuid,
}

impl AlertContext {
    /// A stand-in subscription around a hub, with a namespace derived from the scenario's id.
    pub fn new(hub_name: impl Into<String>, scenario: &str) -> Self {
        Self {
            hub_name: hub_name.into(),
            subscription_id: Uuid::nil().to_string(),
            resource_group: "hilarm".to_owned(),
            namespace: Uuid::new_v5(&HILARM, scenario.as_bytes()),
        }
    }

    /// The hub's ARM id.
    pub fn resource_id(&self) -> String {
        let Self { hub_name, subscription_id, resource_group, .. } = self;
        format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Devices/IotHubs/{hub_name}"
        )
    }
}

/// A row of the `SecurityAlert` table. Times are ISO 8601 in UTC; `Entities`, `ExtendedLinks`,
/// `ExtendedProperties`, `RemediationSteps`, `Techniques` and `SubTechniques` are text that holds JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the columns are documented by Log Analytics")]
pub struct SecurityAlert {
    pub alert_link: String,
    pub alert_name: String,
    pub alert_severity: String,
    pub alert_type: String,
    pub compromised_entity: String,
    pub confidence_level: String,
    pub confidence_score: Option<f64>,
    pub description: String,
    pub display_name: String,
    pub end_time: String,
    pub entities: String,
    pub extended_links: String,
    pub extended_properties: String,
    pub is_incident: bool,
    pub processing_end_time: String,
    pub product_component_name: String,
    pub product_name: String,
    pub provider_name: String,
    pub remediation_steps: String,
    pub resource_id: String,
    pub source_computer_id: String,
    pub start_time: String,
    pub status: String,
    pub sub_techniques: String,
    pub system_alert_id: String,
    pub tactics: String,
    pub techniques: String,
    pub time_generated: String,
    pub r#type: String,
    pub vendor_name: String,
    pub vendor_original_id: String,
    pub workspace_resource_group: String,
    pub workspace_subscription_id: String,
}

/// The row of an alert.
///
/// # Panics
/// When the alert's slug is not in the catalogue, which no alert of a [`crate::Defender`] is.
pub fn security_alert(alert: &Alert, context: &AlertContext) -> SecurityAlert {
    let detection = detection(alert.slug).expect("an alert names a detection of the catalogue");
    let id = system_alert_id(alert, context).to_string();
    let (sub, techniques): (Vec<&str>, Vec<&str>) =
        detection.attack.iter().partition(|technique| technique.contains('.'));
    let tactics: BTreeSet<_> = detection.attack.iter().flat_map(|technique| tactics(technique)).collect();
    let end = time_text(alert.end);
    SecurityAlert {
        alert_link: String::new(),
        alert_name: detection.display_name().to_owned(),
        alert_severity: format!("{:?}", alert.severity),
        alert_type: alert.alert_type.to_owned(),
        compromised_entity: entity_name(alert, context).to_owned(),
        confidence_level: String::new(),
        confidence_score: None,
        description: detection.description.to_owned(),
        display_name: detection.display_name().to_owned(),
        end_time: end.clone(),
        entities: entities(alert, context).to_string(),
        extended_links: "[]".to_owned(),
        extended_properties: extended_properties(alert, detection, context),
        is_incident: false,
        processing_end_time: end.clone(),
        product_component_name: String::new(),
        product_name: "Azure Security Center for IoT".to_owned(),
        provider_name: "IoTSecurity".to_owned(),
        remediation_steps: json!(detection.remediation).to_string(),
        resource_id: context.resource_id(),
        source_computer_id: String::new(),
        start_time: time_text(alert.start),
        status: "New".to_owned(),
        sub_techniques: json!(sub).to_string(),
        system_alert_id: id.clone(),
        tactics: tactics.into_iter().copied().collect::<Vec<_>>().join(", "),
        techniques: json!(techniques).to_string(),
        time_generated: end,
        r#type: "SecurityAlert".to_owned(),
        vendor_name: "Microsoft".to_owned(),
        vendor_original_id: id,
        workspace_resource_group: context.resource_group.clone(),
        workspace_subscription_id: context.subscription_id.clone(),
    }
}

/// UUIDv5 of (scenario, slug, entity, subject, window or ordinal). A window is only unique together with
/// its rule, which may change while a scenario runs.
pub(crate) fn system_alert_id(alert: &Alert, context: &AlertContext) -> Uuid {
    let entity = match &alert.entity {
        Entity::Device(device) => format!("device:{device}"),
        Entity::Hub => "hub".to_owned(),
    };
    let subject = alert.subject.as_ref().map(Subject::to_string).unwrap_or_default();
    let which = match &alert.range {
        Some(range) => {
            let (min, max, seconds) = (range.min, range.max, range.window.as_secs());
            format!("window:{}:{seconds}s:{min}..={max}:{}", range.group, range.window_number)
        }
        None => format!("ordinal:{}", alert.ordinal),
    };
    let name = [alert.slug, &entity, &subject, &which].join("\n");
    Uuid::new_v5(&context.namespace, name.as_bytes())
}

/// UUIDv5 of (scenario, slug): there is one recommendation of each kind.
pub(crate) fn recommendation_id(recommendation: &Recommendation, context: &AlertContext) -> Uuid {
    Uuid::new_v5(&context.namespace, recommendation.slug.as_bytes())
}

fn entity_name<'a>(alert: &'a Alert, context: &'a AlertContext) -> &'a str {
    match &alert.entity {
        Entity::Device(device) => device.as_str(),
        Entity::Hub => &context.hub_name,
    }
}

/// The facts, and the hub's name where the seeds' text asks for it: no event holds it.
fn extended_properties(alert: &Alert, detection: &Detection, context: &AlertContext) -> String {
    let mut properties = alert.facts.clone();
    if detection.placeholders.contains(&HUB_NAME) {
        properties.insert(HUB_NAME, context.hub_name.clone());
    }
    json!(properties).to_string()
}

/// Entities as Sentinel names them; `$id` and `$ref` link the device to its hub.
pub(crate) fn entities(alert: &Alert, context: &AlertContext) -> Value {
    let mut entities =
        vec![json!({ "$id": "1", "ResourceId": context.resource_id(), "Type": "azure-resource" })];
    if let Entity::Device(device) = &alert.entity {
        entities.push(json!({
            "$id": "2", "DeviceId": device.as_str(), "IoTHub": { "$ref": "1" }, "Type": "iotdevice"
        }));
    }
    if let Some(Subject::Address(address)) = alert.subject {
        entities.push(json!({ "$id": "3", "Address": address.to_string(), "Type": "ip" }));
    }
    Value::Array(entities)
}

/// ISO 8601 in UTC; times beyond the years that it can write are given as the nearest it can.
pub(crate) fn time_text(at: Timestamp) -> String {
    let nearest = if at.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(nearest).to_string()
}
