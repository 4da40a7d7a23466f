//! One run of all scenarios with their controls on sim: the journals that mutants are folded over, and what
//! each run is judged by. It must pass as it is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hilarm_defender::{Alert, Recommendation};
use hilarm_hub::Authentication;
use hilarm_model::{HubRecord, Timestamp};
use hilarm_scenario::{Expect, ScenarioFile};

use super::mutant::Fold;
use super::{Mutation, fold, in_parallel};
use crate::judge::{Verdict, compare_alerts, compare_recommendations, fired_without_attack, snapshot_text};
use crate::longer::ended;
use crate::one_run::Ran;
use crate::pool::Pool;
use crate::result::RunResult;
use crate::snapshot::Snapshots;
use crate::trial::Trial;
use crate::variant::{BoundaryCase, Variant};

/// Scenarios that do not pass as they are: whether they would notice a mutant cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("mutants are tried on scenarios that pass, and these do not:\n{}", .0.join("\n"))]
pub struct BaselineFailure(pub Vec<String>);

/// A run of the baseline.
pub(super) struct Case {
    pub(super) scenario: String,
    pub(super) variant: Variant,
    pub(super) records: Vec<HubRecord>,
    /// When the books closed.
    pub(super) end: Timestamp,
    pub(super) alerts: Vec<Alert>,
    pub(super) recommendations: Vec<Recommendation>,
    /// Events that each detection of the scenario considered.
    pub(super) considered: BTreeMap<String, u64>,
    raised_in: Vec<Option<String>>,
    expect: Expect,
    detects: Vec<String>,
    threshold: Option<BoundaryCase>,
    /// The reviewed text, for a main run whose snapshot is part of the judging.
    reviewed: Option<String>,
}

/// The baseline's runs, in the order of the scenarios.
pub(super) struct Baseline {
    pub(super) cases: Vec<Case>,
}

impl Baseline {
    /// Runs the scenarios.
    pub(super) fn of(mutation: &Mutation<'_>) -> Result<Self, BaselineFailure> {
        let mut cases = Vec::new();
        let mut failures = Vec::new();
        for (ran, failed) in in_parallel(mutation.jobs, mutation.scenarios, |file| run(mutation, file)) {
            cases.extend(ran);
            failures.extend(failed);
        }
        if failures.is_empty() { Ok(Self { cases }) } else { Err(BaselineFailure(failures)) }
    }

    /// Whether any run raised an alert or a recommendation of the row.
    pub(super) fn provokes(&self, slug: &str) -> bool {
        self.cases.iter().any(|case| case.fires(slug))
    }

    /// The scenario that is named for the detection, or one that detects or at least provokes it.
    pub(super) fn nearest(&self, slug: &str) -> Option<String> {
        let first = |near: &dyn Fn(&&Case) -> bool| self.cases.iter().find(near);
        let nearest = first(&|case| case.scenario.rsplit('/').next() == Some(slug))
            .or_else(|| first(&|case| is_about(&case.detects, slug)))
            .or_else(|| first(&|case| case.fires(slug)))?;
        Some(nearest.scenario.clone())
    }

    /// The first run that other rules fail, nearest scenarios first.
    pub(super) fn first_kill(&self, fold: &Fold, detects: &str) -> Option<(String, String)> {
        let (near, far) = self.cases.iter().partition(|case| is_about(&case.detects, detects));
        let [near, far]: [Vec<&Case>; 2] = [near, far];
        let killed = near.into_iter().chain(far).find(|case| fold::kills(case, fold))?;
        Some((killed.scenario.clone(), killed.variant.to_string()))
    }

    /// The first run that a hub with another way to judge credentials fails, nearest scenarios first.
    pub(super) fn first_failure(
        &self,
        mutation: &Mutation<'_>,
        authentication: &Authentication,
        detects: &str,
    ) -> Option<(String, String)> {
        let (near, far) =
            mutation.scenarios.iter().partition(|file| is_about(&file.scenario.detects, detects));
        let [near, far]: [Vec<&ScenarioFile>; 2] = [near, far];
        near.into_iter().chain(far).find_map(|file| self.failure_of(mutation, file, authentication))
    }

    fn failure_of(
        &self,
        mutation: &Mutation<'_>,
        file: &ScenarioFile,
        authentication: &Authentication,
    ) -> Option<(String, String)> {
        let main = self.cases.iter().find(|case| case.scenario == file.id && case.variant == Variant::Main);
        let reviewed = main.and_then(|main| main.reviewed.as_ref());
        let mut failed = None;
        // Of what a mutant shows insta would leave a pending snapshot: it is compared here.
        trial(mutation, file, None, &Pool::default()).run_each(authentication, &mut |judged| {
            let differs = judged.result.variant == Variant::Main
                && judged.ran.zip(reviewed).is_some_and(|(ran, reviewed)| text_of(ran) != *reviewed);
            if judged.result.verdict == Verdict::Pass && !differs {
                return ControlFlow::Continue(());
            }
            failed = Some((file.id.clone(), judged.result.variant.to_string()));
            ControlFlow::Break(())
        });
        failed
    }
}

impl Case {
    /// Whether what the defender made of it is judged otherwise than the baseline was.
    pub(super) fn fails(
        &self,
        alerts: &[Alert],
        raised: &[Recommendation],
        considered: impl Fn(&str) -> u64,
    ) -> bool {
        match (&self.variant, &self.threshold) {
            (Variant::Main, _) => {
                !compare_alerts(&self.expect, alerts).is_empty()
                    || !compare_recommendations(&self.expect, raised).is_empty()
                    || self.reviewed.as_ref().is_some_and(|text| *text != self.text(alerts, raised))
            }
            (Variant::Benign, _) => {
                !fired_without_attack(&self.detects, alerts, raised, considered).is_empty()
            }
            (Variant::Boundary { .. }, threshold) => {
                threshold.as_ref().is_some_and(|threshold| threshold.judge(alerts, raised).is_some())
            }
        }
    }

    fn text(&self, alerts: &[Alert], raised: &[Recommendation]) -> String {
        snapshot_text(alerts, raised, |ordinal| step_of(&self.raised_in, ordinal))
    }

    fn fires(&self, slug: &str) -> bool {
        self.alerts.iter().any(|alert| alert.slug == slug)
            || self.recommendations.iter().any(|raised| raised.slug == slug)
    }
}

fn is_about(detects: &[String], slug: &str) -> bool {
    detects.iter().any(|known| known == slug)
}

fn step_of(raised_in: &[Option<String>], ordinal: u64) -> Option<String> {
    raised_in.get(usize::try_from(ordinal).ok()?).cloned().flatten()
}

fn text_of(ran: &Ran) -> String {
    snapshot_text(&ran.alerts, &ran.recommendations, |ordinal| step_of(&ran.raised_in, ordinal))
}

fn trial<'a>(
    mutation: &'a Mutation<'_>,
    file: &'a ScenarioFile,
    snapshots: Option<&'a Snapshots>,
    pool: &'a Pool,
) -> Trial<'a> {
    Trial { file, board: mutation.board, elf: None, seed: None, folder: None, snapshots, pool }
}

fn run(mutation: &Mutation<'_>, file: &ScenarioFile) -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut failures) = (Vec::new(), Vec::new());
    trial(mutation, file, mutation.snapshots, &Pool::default()).run_each(
        &Authentication::default(),
        &mut |judged| {
            let RunResult { variant, verdict, findings, .. } = judged.result;
            if verdict != Verdict::Pass {
                let why: Vec<_> = findings.into_iter().map(|finding| finding.message).collect();
                failures.push(format!("{} ({variant}): {}", file.id, why.join("; ")));
            } else if let Some(ran) = judged.ran {
                let reviewed =
                    (variant == Variant::Main && mutation.snapshots.is_some()).then(|| text_of(ran));
                let threshold = judged.case.cloned();
                cases.push(case(file, variant, ran, threshold, reviewed));
            }
            ControlFlow::Continue(())
        },
    );
    (cases, failures)
}

fn case(
    file: &ScenarioFile,
    variant: Variant,
    ran: &Ran,
    threshold: Option<BoundaryCase>,
    reviewed: Option<String>,
) -> Case {
    Case {
        scenario: file.id.clone(),
        variant,
        records: ran.journal.hub_records().cloned().collect(),
        end: ended(&ran.journal),
        alerts: ran.alerts.clone(),
        recommendations: ran.recommendations.clone(),
        considered: ran.considered.clone(),
        raised_in: ran.raised_in.clone(),
        expect: file.scenario.expect.clone(),
        detects: file.scenario.detects.clone(),
        threshold,
        reviewed,
    }
}
