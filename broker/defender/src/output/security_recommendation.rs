//! A recommendation as rows of Log Analytics' `SecurityRecommendation` table: one a device concerned, or one
//! about the hub.

use serde::Serialize;
use serde_json::json;

use crate::catalogue::detection;
use crate::posture::Recommendation;
use crate::security_alert::{AlertContext, recommendation_id, time_text};

/// A row. Times are ISO 8601 in UTC; `RecommendationAdditionalData` is text that holds JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the columns are documented by Log Analytics")]
pub struct SecurityRecommendation {
    pub assessed_resource_id: String,
    pub description: String,
    pub device_id: String,
    #[serde(rename = "DiscoveredTimeUTC")]
    pub discovered_time_utc: String,
    pub is_snapshot: bool,
    pub provider_name: String,
    pub recommendation_additional_data: String,
    pub recommendation_display_name: String,
    pub recommendation_id: String,
    pub recommendation_name: String,
    pub recommendation_severity: String,
    pub recommendation_state: String,
    pub remediation_description: String,
    pub status_change_date: String,
    pub time_generated: String,
    pub r#type: String,
}

/// The rows of a recommendation.
///
/// # Panics
/// When its slug is not in the catalogue, which no recommendation of a [`crate::Defender`] is.
pub fn security_recommendations(
    recommendation: &Recommendation,
    context: &AlertContext,
) -> Vec<SecurityRecommendation> {
    let entry = detection(recommendation.slug).expect("a recommendation is one of the catalogue");
    let changed = time_text(recommendation.changed);
    let row = |device: &str| SecurityRecommendation {
        assessed_resource_id: context.resource_id(),
        description: entry.description.to_owned(),
        device_id: device.to_owned(),
        discovered_time_utc: time_text(recommendation.since),
        is_snapshot: false,
        provider_name: "IoTSecurity".to_owned(),
        recommendation_additional_data: json!({
            "Devices": recommendation.finding.devices,
            "Objects": recommendation.finding.objects,
        })
        .to_string(),
        recommendation_display_name: entry.display_name().to_owned(),
        recommendation_id: recommendation_id(recommendation, context).to_string(),
        recommendation_name: recommendation.alert_type.to_owned(),
        recommendation_severity: format!("{:?}", recommendation.severity),
        recommendation_state: format!("{:?}", recommendation.state),
        remediation_description: entry.remediation.join(" "),
        status_change_date: changed.clone(),
        time_generated: changed.clone(),
        r#type: "SecurityRecommendation".to_owned(),
    };
    let devices = &recommendation.finding.devices;
    if devices.is_empty() { vec![row("")] } else { devices.iter().map(|d| row(d.as_str())).collect() }
}
