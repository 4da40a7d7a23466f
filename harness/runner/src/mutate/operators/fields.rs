//! Mutants of the fields of a row: whether it is there at all, severity, scope, alert type, marks, and how its
//! hits become alerts.

use std::time::Duration;

use hilarm_defender::{DEDUPLICATION, Deduplication, Rule, Scope, Severity, Trigger, rules};

use super::super::mutant::{Fold, Mutant};

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let mut mutants = vec![
        Mutant::of_row(row, "disabled", Fold { rules: Vec::new(), ..Fold::of(row) }),
        scope(row),
        alert_type(row),
    ];
    mutants.extend(severities(row));
    mutants.extend(marks(row));
    mutants.extend(deduplications(row));
    mutants
}

fn severities(row: &Rule) -> impl Iterator<Item = Mutant> {
    const LADDER: [Severity; 4] = [Severity::Informational, Severity::Low, Severity::Medium, Severity::High];
    let at = LADDER.iter().position(|severity| *severity == row.detection.severity).unwrap_or_default();
    let others = [at.checked_sub(1), Some(at + 1)];
    let others = others.into_iter().flatten().filter_map(|at| LADDER.get(at).copied());
    others.map(|severity| {
        let fold = Fold::of(row).changed(|rule| rule.detection.severity = severity);
        Mutant::of_row(row, format!("severity {severity:?}"), fold)
    })
}

fn scope(row: &Rule) -> Mutant {
    let (scope, change) = match row.detection.scope {
        Scope::Device => (Scope::Hub, "scope hub"),
        Scope::Hub => (Scope::Device, "scope device"),
    };
    Mutant::of_row(row, change, Fold::of(row).changed(|rule| rule.detection.scope = scope))
}

/// The alert type of the next row that has another one.
fn alert_type(row: &Rule) -> Mutant {
    let types: Vec<_> = rules().map(|rule| rule.detection.alert_type).collect();
    let mine = row.detection.alert_type;
    let at = types.iter().position(|known| *known == mine).unwrap_or_default();
    let other = types[at..].iter().chain(&types[..at]).find(|known| **known != mine).copied();
    let other = other.unwrap_or_default();
    let fold = Fold::of(row).changed(|rule| rule.detection.alert_type = other);
    Mutant::of_row(row, format!("alert type {other}"), fold)
}

fn marks(row: &Rule) -> Option<Mutant> {
    let Trigger::CountInWindow { marks: &[(mark, _), ..], .. } = row.detection.trigger else { return None };
    let fold = Fold::of(row).changed(|rule| {
        if let Trigger::CountInWindow { marks, .. } = &mut rule.detection.trigger {
            *marks = &[];
        }
    });
    Some(Mutant::of_row(row, format!("no mark {mark}"), fold))
}

fn deduplications(row: &Rule) -> Vec<Mutant> {
    let becomes = |change: String, deduplication| {
        Mutant::of_row(row, change, Fold::of(row).changed(|rule| rule.deduplication = deduplication))
    };
    let within = |period: Duration| {
        becomes(format!("deduplication for {} minutes", period.as_secs() / 60), Deduplication::Within(period))
    };
    match (&row.detection.trigger, row.deduplication) {
        // A range rule has its window, a recommendation stands or does not.
        (Trigger::CountInWindow { .. } | Trigger::Posture { .. }, _) => Vec::new(),
        (_, Deduplication::PerHit) => vec![within(DEDUPLICATION)],
        (_, Deduplication::Within(period)) => vec![
            becomes("deduplication off".to_owned(), Deduplication::PerHit),
            within(period / 2),
            within(period * 2),
        ],
    }
}
