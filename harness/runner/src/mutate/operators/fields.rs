//! Mutants of the fields of a row: whether it is there at all, severity, scope, alert type, marks, and how its
//! hits become alerts.

use std::time::Duration;

use hilarm_defender::{DEDUPLICATION, Deduplication, Detection, Rule, Scope, Severity, Trigger, rules};

use super::super::mutant::{Fold, Mutant};

const A_MICROSECOND: Duration = Duration::from_micros(1);
const A_SECOND: Duration = Duration::from_secs(1);

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    // A further field of the catalogue is a decision to take here.
    let Detection {
        // Judged here.
        slug: _,
        severity: _,
        scope: _,
        alert_type: _,
        // Judged by the other operators.
        trigger: _,
        boundary: _,
        // Words and where they come from: nothing is compared with them. Tests of the defender hold them against
        // the seeds and the outputs' schemas.
        names: _,
        class: _,
        data_source: _,
        description: _,
        remediation: _,
        placeholders: _,
        erratum: _,
        provenance: _,
        attack: _,
    } = &row.detection;
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

/// The other scope, with all that follows from it: how hits become alerts as well.
fn scope(row: &Rule) -> Mutant {
    let (scope, change) = match row.detection.scope {
        Scope::Device => (Scope::Hub, "scope hub"),
        Scope::Hub => (Scope::Device, "scope device"),
    };
    let other = Rule::from(&Detection { scope, ..row.detection.clone() });
    Mutant::of_row(row, change, Fold::of(row).changed(|rule| *rule = other.clone()))
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
    let becomes = |change: &str, deduplication| {
        Mutant::of_row(row, change, Fold::of(row).changed(|rule| rule.deduplication = deduplication))
    };
    let within = |change: &str, period: Duration| becomes(change, Deduplication::Within(period));
    match (&row.detection.trigger, row.deduplication) {
        // A range rule has its window, a recommendation stands or does not.
        (Trigger::CountInWindow { .. } | Trigger::Posture { .. }, _) => Vec::new(),
        (_, Deduplication::PerHit) => vec![within("deduplication as of a device", DEDUPLICATION)],
        (_, Deduplication::Within(period)) => vec![
            becomes("deduplication off", Deduplication::PerHit),
            within("deduplication for half as long", period / 2),
            within("deduplication for twice as long", period * 2),
        ],
    }
}

/// Mutants of the hour that all rows share: either end of it, by a second and by as little as there is.
pub(super) fn of_all(rows: &[Rule]) -> Vec<Mutant> {
    let deduplicated = |row: &&Rule| !deduplications(row).is_empty() && row.detection.scope == Scope::Device;
    let alike: Vec<Rule> = rows.iter().filter(deduplicated).cloned().collect();
    let for_all = |change: &str, period: Duration| {
        let fold = Fold::of_all(&alike).changed(|rule| rule.deduplication = Deduplication::Within(period));
        Mutant::of_rows("deduplication", change, "sas-invalid-signature", fold)
    };
    vec![
        for_all("a second shorter", DEDUPLICATION - A_SECOND),
        for_all("a second longer", DEDUPLICATION + A_SECOND),
        for_all("inclusive: at <= start + period", DEDUPLICATION + A_MICROSECOND),
    ]
}
