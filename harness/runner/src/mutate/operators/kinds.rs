//! Mutants of the kinds of event that a row looks at: each is left out where there are others.

use hilarm_defender::Rule;

use super::super::mutant::{Fold, Mutant};

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let kinds = row.detection.trigger.on();
    if kinds.len() < 2 {
        // Without its only kind a row is disabled, which is a mutant of its own.
        return Vec::new();
    }
    let without = |kind| Mutant::of_row(row, format!("{kind:?} is not seen"), Fold::of(row).blind_to(kind));
    kinds.iter().copied().map(without).collect()
}
