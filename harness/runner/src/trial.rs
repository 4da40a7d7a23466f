//! One scenario on one board: the main run, then its controls. Order of judging: steps, settle, proof,
//! closed-world expectations, controls, snapshot.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use hilarm_board::{Board, Elf, Pace};
use hilarm_hub::Authentication;
use hilarm_model::HubRecord;
use hilarm_scenario::ScenarioFile;

use crate::ability::lacking;
use crate::autopsy;
use crate::device_log;
use crate::journal::Entry;
use crate::judge::{
    Finding, Verdict, compare_alerts, compare_flows, compare_recommendations, fired_without_attack,
    snapshot_text, unaccounted_bytes, unmet_proofs,
};
use crate::longer::longer_cases;
use crate::one_run::Ran;
use crate::pool::Pool;
use crate::provision::T0;
use crate::result::{FiredAlert, RunResult, fingerprint};
use crate::script::ScriptError;
use crate::snapshot::{Compared, Snapshots};
use crate::spare::leave_out;
use crate::variant::{BoundaryCase, Variant, benign_twin, boundary_cases};

const LAST_LOG_LINES: usize = 12;

/// What to run, and where to leave what was seen.
pub struct Trial<'a> {
    /// The scenario.
    pub file: &'a ScenarioFile,
    /// The board.
    pub board: &'a Board,
    /// The firmware, for boards that boot one.
    pub elf: Option<&'a Elf>,
    /// The seed in place of the scenario's own.
    pub seed: Option<u64>,
    /// Folder for journals and captures; nothing is written when absent.
    pub folder: Option<PathBuf>,
    /// Snapshots to compare with; not compared when absent.
    pub snapshots: Option<&'a Snapshots>,
    /// Boards that stay open between runs.
    pub pool: &'a Pool,
}

/// A run with its verdict, and what the verdict rests on.
pub(crate) struct Judged<'a> {
    pub(crate) result: RunResult,
    /// Nothing when it could not run.
    pub(crate) ran: Option<&'a Ran>,
    /// The threshold that it moved.
    pub(crate) case: Option<&'a BoundaryCase>,
}

/// Sees each run of a trial, and says whether it wants to see more.
pub(crate) type Seen<'s> = dyn FnMut(Judged<'_>) -> ControlFlow<()> + 's;

impl Judged<'_> {
    fn infra(result: RunResult) -> Self {
        Self { result, ran: None, case: None }
    }
}

impl Trial<'_> {
    /// Runs the scenario and its controls.
    pub fn run(&self) -> Vec<RunResult> {
        let mut results = Vec::new();
        self.run_each(&Authentication::default(), &mut |judged| {
            results.push(judged.result);
            ControlFlow::Continue(())
        });
        results
    }

    /// Runs the scenario and its controls on a hub that judges credentials like this, until `seen` has seen
    /// enough.
    pub(crate) fn run_each(&self, hub: &Authentication, seen: &mut Seen<'_>) {
        // Whether to go on is `seen`'s to say; a run that was stopped has nothing left to tell.
        let _ = self.run_until(hub, seen);
    }

    fn run_until(&self, hub: &Authentication, seen: &mut Seen<'_>) -> ControlFlow<()> {
        if let Some(reason) = lacking(&self.file.scenario, self.board) {
            let skipped = self.not_run(Variant::Main, Verdict::Skipped, Finding::new(reason));
            return seen(Judged { result: skipped, ran: None, case: None });
        }
        let mut file = self.file.clone();
        let left_out = leave_out(&mut file.scenario, self.board);
        let (folder, snapshots) = (self.folder.clone(), self.snapshots);
        Trial { file: &file, folder, snapshots, ..*self }.run_all(&left_out, hub, seen)
    }

    /// The main run and its controls; what was left out is told with the main run.
    fn run_all(&self, left_out: &[Finding], hub: &Authentication, seen: &mut Seen<'_>) -> ControlFlow<()> {
        let scenario = &self.file.scenario;
        let main = match self.run_once(scenario, &Variant::Main, hub) {
            Ok(main) => main,
            Err(finding) => return seen(Judged::infra(self.infra(Variant::Main, finding))),
        };
        let mut result = self.judge_main(&main);
        result.findings.extend_from_slice(left_out);
        let passed = result.verdict == Verdict::Pass;
        seen(Judged { result, ran: Some(&main), case: None })?;
        if !passed {
            return ControlFlow::Break(());
        }
        if scenario.controls.skip_benign_twin.is_none()
            && let Some(twin) = benign_twin(scenario)
        {
            match self.run_once(&twin, &Variant::Benign, hub) {
                Ok(ran) => seen(Judged { result: self.judge_benign(&ran), ran: Some(&ran), case: None })?,
                Err(finding) => seen(Judged::infra(self.infra(Variant::Benign, finding)))?,
            }
        }
        if scenario.controls.skip_boundary.is_none() {
            for slug in &scenario.detects {
                self.run_boundaries(slug, &main, hub, seen)?;
            }
        }
        ControlFlow::Continue(())
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(self.file.scenario.seed)
    }

    fn judge_main(&self, ran: &Ran) -> RunResult {
        let scenario = &self.file.scenario;
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass {
            findings = unmet_proofs(&scenario.proof, &ran.journal);
            if !findings.is_empty() {
                verdict = Verdict::Unproven;
            }
            let mut wrong = compare_alerts(&scenario.expect, &ran.alerts);
            wrong.extend(compare_recommendations(&scenario.expect, &ran.recommendations));
            wrong.extend(compare_flows(&scenario.expect, &ran.journal));
            if !wrong.is_empty() {
                verdict = Verdict::Fail;
                findings.extend(wrong);
            }
        }
        if verdict == Verdict::Pass
            && let Some(finding) = self.compare_snapshot(ran)
        {
            verdict = Verdict::Fail;
            findings.push(finding);
        }
        self.result(Variant::Main, verdict, findings, ran)
    }

    fn compare_snapshot(&self, ran: &Ran) -> Option<Finding> {
        let snapshots = self.snapshots?;
        let text = snapshot_text(&ran.alerts, &ran.recommendations, |ordinal| {
            ran.raised_in.get(usize::try_from(ordinal).ok()?).cloned().flatten()
        });
        match snapshots.compare(&self.file.id, &text) {
            Ok(Compared::Same) => None,
            Ok(Compared::Missing) => Some(Finding::new(format!(
                "no reviewed snapshot yet; look at it and accept it with `hilarm review`:\n{text}"
            ))),
            Ok(Compared::Differs(diff)) => {
                Some(Finding::new(format!("the alerts differ from the reviewed snapshot:\n{diff}")))
            }
            Err(error) => Some(Finding::new(error)),
        }
    }

    /// The benign twin passes only if nothing fires, the proof is not satisfied, and each detection looked
    /// at something: silence of a detection that saw nothing proves nothing.
    fn judge_benign(&self, ran: &Ran) -> RunResult {
        let scenario = &self.file.scenario;
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass {
            let considered = |slug: &str| ran.considered.get(slug).copied().unwrap_or_default();
            findings = fired_without_attack(&scenario.detects, &ran.alerts, &ran.recommendations, considered);
            if unmet_proofs(&scenario.proof, &ran.journal).is_empty() {
                findings.push(Finding::at(
                    "proof",
                    "the proof is satisfied without the attack, so it proves nothing",
                ));
            }
            if !findings.is_empty() {
                verdict = Verdict::Fail;
            }
        }
        self.result(Variant::Benign, verdict, findings, ran)
    }

    fn run_boundaries(
        &self,
        slug: &str,
        main: &Ran,
        hub: &Authentication,
        seen: &mut Seen<'_>,
    ) -> ControlFlow<()> {
        let records: Vec<&HubRecord> = main.journal.hub_records().collect();
        let scenario = &self.file.scenario;
        let mut cases = boundary_cases(scenario, slug, &main.alerts, &records);
        if let Ok(known) = &mut cases {
            match longer_cases(scenario, slug, &main.alerts, &main.journal) {
                Ok(more) => known.extend(more),
                Err(problem) => cases = Err(problem),
            }
        }
        let cases = match cases {
            Ok(cases) => cases,
            Err(problem) => {
                let variant = Variant::Boundary { label: slug.to_owned(), fires: false };
                let message = format!("the boundary of {slug} cannot be varied: {problem}");
                let result = self.result(variant, Verdict::Fail, vec![Finding::new(message)], main);
                return seen(Judged { result, ran: None, case: None });
            }
        };
        for case in cases {
            if case.needs_granted_time() && self.board.pace() == Pace::Real {
                let reason = "it lies at one instant, and the board lives in real time";
                let skipped = self.not_run(case.variant.clone(), Verdict::Skipped, Finding::new(reason));
                seen(Judged { result: skipped, ran: None, case: Some(&case) })?;
                continue;
            }
            match self.run_once(&case.scenario, &case.variant, hub) {
                Ok(ran) => {
                    let result = self.judge_boundary(&case, &ran);
                    seen(Judged { result, ran: Some(&ran), case: Some(&case) })?;
                }
                Err(finding) => seen(Judged::infra(self.infra(case.variant, finding)))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn judge_boundary(&self, case: &BoundaryCase, ran: &Ran) -> RunResult {
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass
            && let Some(finding) = case.judge(&ran.alerts, &ran.recommendations)
        {
            verdict = Verdict::Fail;
            findings.push(finding);
        }
        self.result(case.variant.clone(), verdict, findings, ran)
    }

    fn infra(&self, variant: Variant, finding: Finding) -> RunResult {
        self.not_run(variant, Verdict::Infra, finding)
    }

    fn not_run(&self, variant: Variant, verdict: Verdict, finding: Finding) -> RunResult {
        RunResult {
            scenario: self.file.id.clone(),
            variant,
            board: self.board.id.clone(),
            seed: self.seed(),
            verdict,
            wall: Duration::ZERO,
            hub: Duration::ZERO,
            alerts: Vec::new(),
            findings: vec![finding],
            last_logs: Vec::new(),
            folder: None,
            fingerprint: Vec::new(),
        }
    }

    fn result(&self, variant: Variant, verdict: Verdict, findings: Vec<Finding>, ran: &Ran) -> RunResult {
        let hub = ran.journal.lines().iter().rev().find_map(|line| match &line.entry {
            Entry::Hub(record) => Some(record.at.since(T0)),
            Entry::Harness(_) => None,
        });
        RunResult {
            scenario: self.file.id.clone(),
            variant,
            board: self.board.id.clone(),
            seed: self.seed(),
            verdict,
            wall: ran.wall,
            hub: hub.unwrap_or_default(),
            alerts: ran
                .alerts
                .iter()
                .map(FiredAlert::from)
                .chain(ran.recommendations.iter().map(FiredAlert::from))
                .collect(),
            findings,
            last_logs: if verdict == Verdict::Pass {
                Vec::new()
            } else {
                device_log::tail(&ran.journal, LAST_LOG_LINES)
            },
            folder: ran.folder.clone(),
            fingerprint: fingerprint(&ran.journal),
        }
    }
}

/// What a run's own failures amount to, whatever was expected of it.
fn common_verdict(ran: &Ran, findings: &mut Vec<Finding>) -> Verdict {
    match &ran.error {
        Some(ScriptError::Step { path, problem }) => {
            findings.push(Finding::at(path.clone(), problem.clone()));
            return Verdict::Fail;
        }
        Some(error @ (ScriptError::World(_) | ScriptError::Infra(_))) => {
            let autopsy = autopsy::of(ran.error.as_ref()).and(ran.folder.as_ref());
            let autopsy =
                autopsy.map(|folder| format!("\nautopsy: {}", autopsy::text_path(folder).display()));
            findings.push(Finding::new(format!("{error}{}", autopsy.unwrap_or_default())));
            return Verdict::Infra;
        }
        None => {}
    }
    findings.extend(unaccounted_bytes(&ran.journal));
    if let Some(error) = ran.journal.write_error() {
        findings.push(Finding::new(format!("cannot write the journal: {error}")));
    }
    if findings.is_empty() { Verdict::Pass } else { Verdict::Infra }
}
