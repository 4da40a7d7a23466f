//! OCSF 1.3: an alert as a Detection Finding, a recommendation as a Compliance Finding.

use hilarm_model::Timestamp;
use serde_json::{Value, json};

use crate::alert::{Alert, Entity};
use crate::catalogue::detection;
use crate::detection::{Detection, Severity};
use crate::posture::{Recommendation, RecommendationState};
use crate::security_alert::{AlertContext, recommendation_id, system_alert_id};

const VERSION: &str = "1.3.0";
const FINDINGS: u32 = 2;
const DETECTION_FINDING: u32 = 2004;
const COMPLIANCE_FINDING: u32 = 2003;
const CREATE: u32 = 1;
const CLOSE: u32 = 3;

/// The Detection Finding (class 2004) of an alert.
///
/// # Panics
/// When the alert's slug is not in the catalogue, which no alert of a [`crate::Defender`] is.
pub fn detection_finding(alert: &Alert, context: &AlertContext) -> Value {
    let entry = detection(alert.slug).expect("an alert names a detection of the catalogue");
    let resource = match &alert.entity {
        Entity::Device(device) => json!({ "uid": device.as_str(), "type": "IoT device" }),
        Entity::Hub => json!({ "uid": context.resource_id(), "type": "IoT Hub" }),
    };
    let attacks: Vec<_> = entry.attack.iter().map(|uid| technique(uid)).collect();
    let uid = system_alert_id(alert, context).to_string();
    let mut finding = finding(entry, DETECTION_FINDING, CREATE, alert.end, (&uid, alert.start, alert.end));
    finding["status_id"] = json!(1);
    finding["status"] = json!("New");
    finding["count"] = json!(alert.count);
    finding["resources"] = json!([resource]);
    finding["finding_info"]["attacks"] = json!(attacks);
    finding["unmapped"] = json!(alert.facts);
    finding
}

/// The Compliance Finding (class 2003) of a recommendation.
///
/// # Panics
/// When its slug is not in the catalogue, which no recommendation of a [`crate::Defender`] is.
pub fn compliance_finding(recommendation: &Recommendation, context: &AlertContext) -> Value {
    let entry = detection(recommendation.slug).expect("a recommendation is one of the catalogue");
    let (activity, status, outcome) = match recommendation.state {
        RecommendationState::Active => (CREATE, (1, "New"), (3, "Fail")),
        RecommendationState::Resolved => (CLOSE, (4, "Resolved"), (1, "Pass")),
    };
    let hub = std::iter::once(json!({ "uid": context.resource_id(), "type": "IoT Hub" }));
    let devices = recommendation.finding.devices.iter();
    let devices = devices.map(|device| json!({ "uid": device.as_str(), "type": "IoT device" }));
    let uid = recommendation_id(recommendation, context).to_string();
    let span = (uid.as_str(), recommendation.since, recommendation.changed);
    let mut finding = finding(entry, COMPLIANCE_FINDING, activity, recommendation.changed, span);
    finding["status_id"] = json!(status.0);
    finding["status"] = json!(status.1);
    finding["compliance"] = json!({
        "control": entry.alert_type,
        "standards": ["Microsoft Defender for IoT"],
        "status_id": outcome.0,
        "status": outcome.1,
    });
    finding["resources"] = hub.chain(devices).collect();
    finding["unmapped"] = json!({ "objects": recommendation.finding.objects });
    finding
}

/// What both classes share.
fn finding(
    entry: &Detection,
    class: u32,
    activity: u32,
    time: Timestamp,
    (uid, first, last): (&str, Timestamp, Timestamp),
) -> Value {
    json!({
        "class_uid": class,
        "category_uid": FINDINGS,
        "activity_id": activity,
        "type_uid": class * 100 + activity,
        "time": millis(time),
        "severity_id": severity_id(entry.severity),
        "severity": format!("{:?}", entry.severity),
        "message": entry.display_name(),
        "metadata": {
            "version": VERSION,
            "product": { "name": "hilarm", "vendor_name": "hilarm" },
        },
        "finding_info": {
            "uid": uid,
            "title": entry.display_name(),
            "desc": entry.description,
            "types": [entry.alert_type],
            "first_seen_time": millis(first),
            "last_seen_time": millis(last),
            "analytic": { "uid": entry.slug, "name": entry.display_name(), "type_id": 1, "type": "Rule" },
        },
        "remediation": { "desc": entry.remediation.join(" ") },
    })
}

/// Informational, Low, Medium, High are 1 to 4.
fn severity_id(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
    }
}

/// A sub-technique is given under its technique.
fn technique(uid: &str) -> Value {
    match uid.split_once('.') {
        Some((parent, _)) => json!({ "technique": { "uid": parent }, "sub_technique": { "uid": uid } }),
        None => json!({ "technique": { "uid": uid } }),
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000)
}
