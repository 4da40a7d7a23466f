//! Recommendations: weak postures, with a lifecycle (defender.md 3.3 and 5).
//!
//! A posture is judged when monitoring starts, on every change of configuration, and at the end of the run.
//! A recommendation is active while its posture is weak and resolved once it is not; provisioning before
//! monitoring starts raises nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use hilarm_model::{DeviceId, HubEvent, Timestamp, Tuning};
use serde::Serialize;

use crate::detection::Severity;
use crate::ledger::Position;
use crate::rule::Rule;

/// Whether a recommendation still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecommendationState {
    /// The posture is weak.
    Active,
    /// It was, and is no longer.
    Resolved,
}

/// What a weak posture is about; empty sets when it is about the hub as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The devices concerned.
    pub devices: BTreeSet<DeviceId>,
    /// The objects of the hub concerned, e.g. names of network rules.
    pub objects: BTreeSet<String>,
}

/// One recommendation; there is at most one of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// Our stable id.
    pub slug: &'static str,
    /// Its type, verbatim.
    pub alert_type: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Whether it stands.
    pub state: RecommendationState,
    /// What it is about; once resolved, what it was last about.
    pub finding: Finding,
    /// When it last became active.
    pub since: Timestamp,
    /// When its state or finding last changed.
    pub changed: Timestamp,
    /// How many times it became active.
    pub episodes: u64,
    /// 0-based ordinal of the handled record that last made it active.
    pub raised_by: u64,
}

/// The state behind a recommendation. Configuration facts reach it before monitoring starts, too.
pub trait Posture: Send + fmt::Debug {
    /// Sees one event of the kinds it asked for; whether the finding may be another one now.
    fn see(&mut self, event: &HubEvent, tuning: Tuning) -> bool;
    /// What is weak; nothing while all is well.
    fn finding(&self, tuning: Tuning) -> Option<Finding>;
}

/// Every posture, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Postures {
    watched: Vec<(Arc<Rule>, Box<dyn Posture>)>,
    raised: Vec<Recommendation>,
}

impl Postures {
    /// A further posture; answers its place.
    pub(crate) fn add(&mut self, rule: Arc<Rule>, posture: Box<dyn Posture>) -> usize {
        self.watched.push((rule, posture));
        self.watched.len() - 1
    }

    pub(crate) fn raised(&self) -> &[Recommendation] {
        &self.raised
    }

    /// One event for the posture at `place`; judged at once when monitoring has started.
    pub(crate) fn see(&mut self, place: usize, event: &HubEvent, tuning: Tuning, position: Option<Position>) {
        let Some((_, posture)) = self.watched.get_mut(place) else { return };
        if posture.see(event, tuning)
            && let Some(position) = position
        {
            self.judge(place, tuning, position);
        }
    }

    /// Judges all of them.
    pub(crate) fn judge_all(&mut self, tuning: Tuning, position: Position) {
        for place in 0..self.watched.len() {
            self.judge(place, tuning, position);
        }
    }

    fn judge(&mut self, place: usize, tuning: Tuning, position: Position) {
        let (rule, posture) = &self.watched[place];
        let detection = &rule.detection;
        let finding = posture.finding(tuning);
        let known = self.raised.iter_mut().find(|known| known.slug == detection.slug);
        match (known, finding) {
            (Some(known), Some(finding)) => known.stand(finding, position),
            (Some(known), None) => known.resolve(position),
            (None, Some(finding)) => self.raised.push(Recommendation {
                slug: detection.slug,
                alert_type: detection.alert_type,
                severity: detection.severity,
                state: RecommendationState::Active,
                finding,
                since: position.at,
                changed: position.at,
                episodes: 1,
                raised_by: position.ordinal,
            }),
            (None, None) => (),
        }
    }
}

impl Recommendation {
    fn stand(&mut self, finding: Finding, position: Position) {
        let resolved = self.state == RecommendationState::Resolved;
        if resolved {
            self.state = RecommendationState::Active;
            self.since = position.at;
            self.episodes += 1;
            self.raised_by = position.ordinal;
        }
        if resolved || self.finding != finding {
            self.finding = finding;
            self.changed = position.at;
        }
    }

    fn resolve(&mut self, position: Position) {
        if self.state == RecommendationState::Active {
            self.state = RecommendationState::Resolved;
            self.changed = position.at;
        }
    }
}
