//! The mutation operators. Each derives mutants from what a row of the catalogue, or a table of the hub, says
//! of itself; none knows a scenario.

mod authentication;
mod equivalents;
mod fields;
mod lists;
mod operands;
mod postures;
mod ranges;

use hilarm_defender::Rule;

use super::mutant::{Fold, Mutant};

/// Every mutant of these rows, and of the hub's authentication.
pub(super) fn mutants(rows: &[Rule]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for row in rows {
        mutants.extend(fields::mutants(row));
        mutants.extend(ranges::mutants(row));
        mutants.extend(lists::mutants(row));
        mutants.extend(operands::mutants(row));
        mutants.extend(postures::mutants(row));
    }
    mutants.extend(ranges::of_all(rows));
    mutants.extend(authentication::mutants());
    let named = |mutant: Mutant| {
        let reason = equivalents::reason(&mutant.rule, &mutant.change);
        mutant.equivalent(reason)
    };
    mutants.into_iter().map(named).collect()
}

/// A mutant of a row that changes what it gets to see.
fn seeing(
    row: &Rule,
    change: &str,
    shift: impl Fn(&mut hilarm_model::HubEvent) + Send + Sync + 'static,
) -> Mutant {
    Mutant::of_row(row, change, Fold::of(row).seeing(shift))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hilarm_defender::rules;

    use super::*;

    #[test]
    fn every_row_has_mutants_of_its_fields_and_each_mutant_its_name() {
        let rows: Vec<_> = rules().collect();
        let mutants = mutants(&rows);
        for row in &rows {
            let changes: Vec<_> = mutants
                .iter()
                .filter(|mutant| mutant.rule == row.detection.slug)
                .map(|mutant| mutant.change.as_str())
                .collect();
            for wanted in ["disabled", "severity", "scope", "alert type"] {
                let found = changes.iter().any(|change| change.starts_with(wanted));
                assert!(found, "{}: {wanted}", row.detection.slug);
            }
        }
        let names: BTreeSet<_> = mutants.iter().map(|mutant| (&mutant.rule, &mutant.change)).collect();
        assert_eq!(names.len(), mutants.len(), "two mutants of one name");
    }

    #[test]
    fn no_equivalent_is_named_that_is_not_tried() {
        let mutants = mutants(&rules().collect::<Vec<_>>());
        for (rule, change, _) in equivalents::ALL {
            let known = |mutant: &Mutant| equivalents::names(rule, change, &mutant.rule, &mutant.change);
            assert!(mutants.iter().any(known), "{rule}: {change}");
        }
    }
}
