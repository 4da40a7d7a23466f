//! Whether the scenarios would notice another rule: each field and each comparison of the catalogue, and each
//! check of the hub's authentication, is changed in turn, and some scenario must stop passing.
//!
//! A changed rule is another value for the defender or the hub, never a switch in them: the defender folds the
//! journals of one run of all scenarios anew by it, and where it is the hub's, the scenarios run again. What is
//! the same as the original, though it is written otherwise, is named with the reason.

mod baseline;
mod equivalents;
mod fold;
mod mutant;
mod operators;
mod report;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hilarm_board::Board;
use hilarm_defender::{Seed, rules};
use hilarm_scenario::ScenarioFile;

use self::baseline::Baseline;
pub use self::baseline::BaselineFailure;
use self::mutant::{How, Mutant};
pub use self::report::{Fate, MutationReport, OutOfReach, Tried};
use crate::snapshot::Snapshots;

/// What is to notice mutants.
pub struct Mutation<'a> {
    /// The scenarios.
    pub scenarios: &'a [ScenarioFile],
    /// A simulated board.
    pub board: &'a Board,
    /// Snapshots that belong to the judging.
    pub snapshots: Option<&'a Snapshots>,
    /// Threads.
    pub jobs: usize,
}

impl Mutation<'_> {
    /// Runs the scenarios once, then tries every mutant.
    pub fn run(&self) -> Result<MutationReport, BaselineFailure> {
        let baseline = Baseline::of(self)?;
        let (out_of_reach, rows): (Vec<_>, Vec<_>) = rules()
            .map(|rule| (why_out_of_reach(&baseline, rule.detection.slug, rule.detection.names), rule))
            .partition(|(why, _)| why.is_some());
        let rows: Vec<_> = rows.into_iter().map(|(_, rule)| rule).collect();
        let mutants = operators::mutants(&rows);
        let tried = in_parallel(self.jobs, &mutants, |mutant| self.try_out(&baseline, mutant));
        let out_of_reach = out_of_reach
            .into_iter()
            .filter_map(|(why, rule)| Some(OutOfReach { rule: rule.detection.slug, reason: why? }));
        Ok(MutationReport { tried, out_of_reach: out_of_reach.collect() })
    }

    fn try_out(&self, baseline: &Baseline, mutant: &Mutant) -> Tried {
        let killed = match &mutant.how {
            How::Fold(fold) => baseline.first_kill(fold, mutant.detects),
            How::Hub(authentication) => baseline.first_failure(self, authentication, mutant.detects),
        };
        let equivalent = equivalents::reason(&mutant.rule, &mutant.change);
        let fate = match (killed, equivalent) {
            (Some((scenario, variant)), None) => Fate::Killed { scenario, variant },
            (Some((scenario, variant)), Some(reason)) => Fate::Refuted { reason, scenario, variant },
            (None, Some(reason)) => Fate::Equivalent { reason },
            (None, None) => Fate::Survived { nearest: baseline.nearest(mutant.detects) },
        };
        Tried { rule: mutant.rule.clone(), change: mutant.change.clone(), fate }
    }
}

/// Why no scenario can provoke a row, for rows of which that is known and true of these scenarios.
fn why_out_of_reach(
    baseline: &Baseline,
    slug: &str,
    names: &[hilarm_defender::Name],
) -> Option<&'static str> {
    if baseline.provokes(slug) {
        None
    } else if slug.ends_with("-amqp") {
        Some("no device of a scenario speaks AMQP yet")
    } else if names.iter().all(|name| name.seed == Seed::Beyond) {
        Some("beyond the seeds, and nothing in the virtual network connects to a device")
    } else {
        None
    }
}

/// The results of all, in their order.
fn in_parallel<T: Sync, R: Send>(jobs: usize, all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(all.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, all.len().max(1)) {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(item) = all.get(at)
                {
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
