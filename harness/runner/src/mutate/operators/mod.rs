//! The mutation operators. Each derives mutants from what a row of the catalogue, or a table of the hub, says
//! of itself; none knows a scenario.
//!
//! A further operator is a file with a function from a row to its mutants, and a line in
//! [`OF_ROWS`]. A further
//! comparison of an event's field is a line in a table of `operands`.

mod authentication;
mod fields;
mod kinds;
mod lists;
mod operands;
mod postures;
mod ranges;
mod runs;

use hilarm_defender::Rule;

use super::mutant::Mutant;

type OfRow = fn(&Rule) -> Vec<Mutant>;
type OfAll = fn(&[Rule]) -> Vec<Mutant>;

/// The operators on a single row.
const OF_ROWS: [OfRow; 6] =
    [fields::mutants, kinds::mutants, ranges::mutants, lists::mutants, operands::mutants, postures::mutants];

/// The operators on what rows share.
const OF_ALL: [OfAll; 3] = [fields::of_all, ranges::of_all, runs::of_all];

/// Every mutant of these rows, and of the hub's authentication.
pub(super) fn mutants(rows: &[Rule]) -> Vec<Mutant> {
    let of_row = |row| OF_ROWS.iter().flat_map(move |operator| operator(row));
    let mut mutants: Vec<Mutant> = rows.iter().flat_map(of_row).collect();
    mutants.extend(OF_ALL.iter().flat_map(|operator| operator(rows)));
    mutants.extend(authentication::mutants());
    mutants
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hilarm_defender::rules;

    use super::super::equivalents;
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
