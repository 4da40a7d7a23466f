//! Recommendations: weak postures, with a lifecycle (defender.md 3.3 and 5).
//!
//! A posture is judged when monitoring starts, on every change of configuration, and at the end of the run.
//! A recommendation is active while its posture is weak and resolved once it is not; provisioning before
//! monitoring starts raises nothing.
//!
//! A security solution may switch a recommendation off: it is not given then, and one that stands is resolved.
//! Decided, because Microsoft does not say what becomes of one that stands, nor what holds when two solutions differ:
//! one that switches it off is enough.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Types that each security solution switches off.
    switched_off: BTreeMap<String, BTreeSet<String>>,
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

    /// What security solutions switch off; whether the event was about that.
    pub(crate) fn configure(&mut self, event: &HubEvent) -> bool {
        match event {
            HubEvent::SecuritySolutionConfigured { name, disabled } => {
                self.switched_off.insert(name.clone(), disabled.clone());
            }
            HubEvent::SecuritySolutionRemoved { name } => drop(self.switched_off.remove(name)),
            _ => return false,
        }
        true
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
        let off = self.switched_off.values().any(|types| types.contains(detection.alert_type));
        let finding = posture.finding(tuning).filter(|_| !off);
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

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, at, network_rules};
    use hilarm_model::FilterAction::Allow;
    use hilarm_model::HubEvent;

    const SLUG: &str = "ip-filter-default-deny";

    fn solution(name: &str, disabled: &[&str]) -> HubEvent {
        let disabled = disabled.iter().map(|one| (*one).to_owned()).collect();
        HubEvent::SecuritySolutionConfigured { name: name.to_owned(), disabled }
    }

    #[test]
    fn a_recommendation_that_a_solution_switches_off_is_resolved_and_stands_again_once_it_is_on() {
        let mut world = World::default();
        world.start();
        world.see(1, solution("plant", &["IoT_OpenPorts"]));
        assert!(world.active(SLUG).is_some(), "another one is off");
        world.see(2, solution("plant", &["IoT_IPFilter_DenyAll"]));
        assert_eq!(world.resolved(SLUG).unwrap().changed, at(2));
        world.see(3, solution("mill", &[]));
        assert!(world.resolved(SLUG).is_some(), "one solution is enough");
        world.see(4, HubEvent::SecuritySolutionRemoved { name: "plant".into() });
        assert_eq!((world.active(SLUG).unwrap().since, world.active(SLUG).unwrap().episodes), (at(4), 2));
    }

    #[test]
    fn one_that_is_off_from_the_beginning_is_never_raised_however_weak_the_posture() {
        let mut world = World::default();
        world.see(-1, solution("plant", &["IoT_IPFilter_DenyAll"]));
        world.start();
        world.see(1, network_rules(Allow, &[]));
        world.defender.finish(at(60));
        assert!(world.active(SLUG).is_none() && world.resolved(SLUG).is_none());
    }
}
