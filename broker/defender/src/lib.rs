//! Defender for IoT as a pure fold over HubEvents, after defender.md.
//!
//! [`Defender::handle`] takes the hub's records one by one, [`Defender::advance_to`] lets silent windows
//! close, and [`Defender::alerts`] is what came of it. Rules, threat list, the origin of the windows and
//! clock moves arrive as HubEvents too, so the same fold judges a live run, a recorded journal and a bench.
//!
//! This room sees HubEvents and nothing else: no packet, socket, file, clock or async. It knows nothing of
//! scenarios, and whether an alert was expected is not its question.

mod address_index;
mod alert;
mod allow_list;
mod attack;
mod authentication;
mod catalogue;
mod connections;
mod control_plane;
mod counting;
mod detection;
mod detections;
mod engine;
mod gauge;
mod judgement;
mod kind;
mod ledger;
mod output;
mod posture;
mod range_row;
mod ranges;
mod reference;
mod roster;
mod rule;
mod security_alert;
mod state;
mod threat_list;
mod window;

#[cfg(test)]
mod tests;

pub use alert::{Alert, Entity, Facts, RangeBreach, Side, Subject};
pub use catalogue::{catalogue, detection, recommendation_catalogue};
pub use counting::Counting;
pub use detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger, Watch,
};
pub use engine::Defender;
pub use judgement::Judgement;
pub use kind::EventKind;
pub use ledger::ALERTS_MAX;
pub use output::{
    SecurityIotRawEvent, SecurityRecommendation, arm_alert, compliance_finding, detection_finding,
    security_iot_raw_events, security_recommendations,
};
pub use posture::{Finding, Posture, Recommendation, RecommendationState};
pub use reference::alert_reference;
pub use roster::RegisteredKind;
pub use rule::{DEDUPLICATION, Deduplication, Rule, rules};
pub use security_alert::{AlertContext, SecurityAlert, security_alert};
pub use threat_list::{ThreatListError, ThreatListProblem, parse_threat_list};
