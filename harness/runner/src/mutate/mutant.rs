//! A mutant: what of a rule is changed, as another value of it.

use std::sync::Arc;

use hilarm_defender::{EventKind, Recommendation, Rule};
use hilarm_hub::Authentication;
use hilarm_model::{HubEvent, HubRecord};

/// A change of what a rule gets to see. A rule compares, so a shifted operand is a shifted comparison.
pub(super) type Shift = Arc<dyn Fn(&mut HubRecord) + Send + Sync>;

/// A run taken for another one.
pub(super) type Reading = fn(&[HubRecord]) -> Vec<HubRecord>;

/// One changed rule.
pub(super) struct Mutant {
    /// The row of the catalogue, or the hub's table of checks.
    pub(super) rule: String,
    /// What is changed, in a few words.
    pub(super) change: String,
    /// The detection whose scenarios are nearest to it.
    pub(super) detects: &'static str,
    pub(super) how: How,
}

/// How a mutant is tried out.
pub(super) enum How {
    /// Recorded journals are folded by it.
    Fold(Fold),
    /// Scenarios run again on a hub that judges credentials like this.
    Hub(Authentication),
}

/// Other rules in the place of some of the catalogue's.
#[derive(Clone)]
pub(super) struct Fold {
    /// Slugs of the rules that are replaced.
    pub(super) replaced: Vec<&'static str>,
    /// What replaces them.
    pub(super) rules: Vec<Rule>,
    /// What they see in place of the events, if not the events themselves.
    pub(super) shift: Option<Shift>,
    /// What they take the run for, if not for what it was; as many records.
    pub(super) reading: Option<Reading>,
    /// What they do not see at all.
    pub(super) blind_to: Option<EventKind>,
    /// What becomes of their recommendations.
    pub(super) recommending: fn(&mut Vec<Recommendation>),
}

impl Fold {
    /// The rule itself.
    pub(super) fn of(rule: &Rule) -> Self {
        Self::of_all(std::slice::from_ref(rule))
    }

    /// The rules themselves.
    pub(super) fn of_all(rules: &[Rule]) -> Self {
        let replaced = rules.iter().map(|rule| rule.detection.slug).collect();
        let rules = rules.to_vec();
        Self { replaced, rules, shift: None, reading: None, blind_to: None, recommending: |_| () }
    }

    /// With changed rules.
    pub(super) fn changed(mut self, change: impl Fn(&mut Rule)) -> Self {
        self.rules.iter_mut().for_each(change);
        self
    }

    /// With changed events.
    pub(super) fn seeing(self, shift: impl Fn(&mut HubEvent) + Send + Sync + 'static) -> Self {
        self.shifted(move |record| shift(&mut record.event))
    }

    /// With changed records.
    pub(super) fn shifted(mut self, shift: impl Fn(&mut HubRecord) + Send + Sync + 'static) -> Self {
        self.shift = Some(Arc::new(shift));
        self
    }

    /// With another run.
    pub(super) fn reading(mut self, run: Reading) -> Self {
        self.reading = Some(run);
        self
    }

    /// Without the events of a kind.
    pub(super) fn blind_to(mut self, kind: EventKind) -> Self {
        self.blind_to = Some(kind);
        self
    }

    /// With other recommendations.
    pub(super) fn recommending(mut self, change: fn(&mut Vec<Recommendation>)) -> Self {
        self.recommending = change;
        self
    }
}

impl Mutant {
    /// A changed row of the catalogue.
    pub(super) fn of_row(row: &Rule, change: impl Into<String>, fold: Fold) -> Self {
        let slug = row.detection.slug;
        Self { rule: slug.to_owned(), change: change.into(), detects: slug, how: How::Fold(fold) }
    }

    /// A row that sees events otherwise.
    pub(super) fn seeing(
        row: &Rule,
        change: &str,
        shift: impl Fn(&mut HubEvent) + Send + Sync + 'static,
    ) -> Self {
        Self::of_row(row, change, Fold::of(row).seeing(shift))
    }

    /// Something that several rows share, changed for all of them.
    pub(super) fn of_rows(rows: &str, change: &str, detects: &'static str, fold: Fold) -> Self {
        Self { rule: rows.to_owned(), change: change.to_owned(), detects, how: How::Fold(fold) }
    }

    /// A changed check of the hub.
    pub(super) fn of_hub(
        table: &str,
        change: impl Into<String>,
        detects: &'static str,
        authentication: Authentication,
    ) -> Self {
        let rule = format!("hub: {table}");
        Self { rule, change: change.into(), detects, how: How::Hub(authentication) }
    }
}
