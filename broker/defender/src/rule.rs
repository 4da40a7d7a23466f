//! A row of the catalogue as the fold applies it: the detection, and how its hits become alerts.
//!
//! [`crate::Defender::new`] takes the shipped catalogue with the periods of defender.md 5. Another fold may be
//! given other rows: that is a fold by other rules, not another mode of this one.

use std::time::Duration;

use crate::catalogue::entries;
use crate::detection::{Detection, Scope};

/// Alerts on devices: one per (type, device, subject) within this time of the first hit.
pub const DEDUPLICATION: Duration = Duration::from_secs(60 * 60);

/// How the hits of one (type, entity, subject) become alerts. Range rules have their windows instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deduplication {
    /// Each hit is an alert of its own.
    PerHit,
    /// Hits within this time of an alert's first one extend it; at its end a new one opens.
    Within(Duration),
}

/// A row of the catalogue, ready to be applied.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The row.
    pub detection: Detection,
    /// How its hits become alerts.
    pub deduplication: Deduplication,
}

impl From<&Detection> for Rule {
    fn from(detection: &Detection) -> Self {
        let deduplication = match detection.scope {
            Scope::Device => Deduplication::Within(DEDUPLICATION),
            // One operation of the management plane is one alert.
            Scope::Hub => Deduplication::PerHit,
        };
        Self { detection: detection.clone(), deduplication }
    }
}

/// The rules of the shipped catalogue: alerts, then recommendations.
pub fn rules() -> impl Iterator<Item = Rule> {
    entries().map(Rule::from)
}
