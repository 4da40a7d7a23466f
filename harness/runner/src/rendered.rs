//! What Defender would have written of a recorded run, in the shapes that its users' queries and tools read.

use hilarm_defender::{
    AlertContext, arm_alert, compliance_finding, detection_finding, security_alert, security_iot_raw_events,
    security_recommendations,
};
use serde::Serialize;
use serde_json::Value;

use crate::journal::{Entry, Recorded};
use crate::replay::fold;

/// The hub's name in a run.
const HUB: &str = "hub";

/// The shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputShape {
    /// Log Analytics' table `SecurityAlert`.
    SecurityAlert,
    /// Log Analytics' table `SecurityRecommendation`.
    SecurityRecommendation,
    /// Log Analytics' table `SecurityIoTRawEvent`: what agents reported.
    SecurityIotRawEvent,
    /// `Microsoft.Security/Locations/alerts` of 2022-01-01.
    ArmAlert,
    /// OCSF: a Detection Finding for each alert, a Compliance Finding for each recommendation.
    Ocsf,
}

/// One object for each row, in the order in which they came up.
///
/// # Errors
/// When a row is no JSON, which would be our mistake.
pub fn render(recorded: &Recorded, shape: OutputShape) -> Result<Vec<Value>, serde_json::Error> {
    let defender = fold(recorded);
    let context = AlertContext::new(HUB, &recorded.header.scenario_id);
    let (alerts, advice) = (defender.alerts().iter(), defender.recommendations().iter());
    match shape {
        OutputShape::SecurityAlert => values(alerts.map(|alert| security_alert(alert, &context))),
        OutputShape::SecurityRecommendation => {
            values(advice.flat_map(|known| security_recommendations(known, &context)))
        }
        OutputShape::SecurityIotRawEvent => {
            let records = recorded.lines.iter().filter_map(|line| match &line.entry {
                Entry::Hub(record) => Some(record),
                Entry::Harness(_) => None,
            });
            values(records.flat_map(|record| security_iot_raw_events(record, &context)))
        }
        OutputShape::ArmAlert => Ok(alerts.map(|alert| arm_alert(alert, &context)).collect()),
        OutputShape::Ocsf => {
            let found = alerts.map(|alert| detection_finding(alert, &context));
            Ok(found.chain(advice.map(|known| compliance_finding(known, &context))).collect())
        }
    }
}

fn values(rows: impl Iterator<Item = impl Serialize>) -> Result<Vec<Value>, serde_json::Error> {
    rows.map(serde_json::to_value).collect()
}
