//! Judging a recorded journal again: the same fold, the same proof and expectations, nothing run.

use hilarm_defender::Defender;

use crate::journal::{Entry, HarnessRecord, Journal, Recorded};
use crate::judge::{
    Finding, Verdict, compare_alerts, compare_flows, compare_recommendations, snapshot_text,
    unaccounted_bytes, unmet_proofs,
};

/// What a journal says when it is judged again.
#[derive(Debug)]
pub struct Replayed {
    /// The verdict on the main expectations; controls are not part of one journal.
    pub verdict: Verdict,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The alerts as snapshots hold them.
    pub alerts: String,
}

/// Judges a recorded journal. For a run other than `main` only the alerts are of use: expectations are the
/// main run's.
pub fn replay(recorded: Recorded) -> Replayed {
    let mut defender = Defender::new();
    let mut step = "provisioning".to_owned();
    let mut raised_in = Vec::new();
    let mut journal = Journal::in_memory(recorded.header);
    let mut findings = Vec::new();
    let mut failed_steps = Vec::new();
    let mut end = journal.header().t0;
    for line in recorded.lines {
        match &line.entry {
            Entry::Hub(record) => {
                defender.handle(record);
                raised_in.push(step.clone());
                end = record.at;
            }
            Entry::Harness(HarnessRecord::StepStarted { path, .. }) => step.clone_from(path),
            Entry::Harness(HarnessRecord::RunEnded { at }) => end = *at,
            Entry::Harness(HarnessRecord::DeviceFailed { device, fault, verdict }) => {
                let verdict = verdict.map(|verdict| format!("{verdict}: ")).unwrap_or_default();
                findings.push(Finding::new(format!("{device}: {verdict}{fault}")));
            }
            Entry::Harness(HarnessRecord::RunFailed { reason }) => {
                findings.push(Finding::new(reason.clone()));
            }
            Entry::Harness(HarnessRecord::StepFailed { path, problem }) => {
                failed_steps.push(Finding::at(path.clone(), format!("{path}: {problem}")));
            }
            Entry::Harness(_) => {}
        }
        journal.push(line.mono, line.entry);
    }
    defender.finish(end);
    if recorded.truncated {
        findings.push(Finding::new("the journal is cut off: the run was killed"));
    }
    findings.extend(unaccounted_bytes(&journal));
    let mut verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Infra };
    if verdict == Verdict::Pass && !failed_steps.is_empty() {
        verdict = Verdict::Fail;
    }
    findings.extend(failed_steps);
    if verdict == Verdict::Pass && journal.header().variant == "main" {
        let scenario = &journal.header().scenario;
        findings = unmet_proofs(&scenario.proof, &journal);
        if !findings.is_empty() {
            verdict = Verdict::Unproven;
        }
        let mut wrong = compare_alerts(&scenario.expect, defender.alerts());
        wrong.extend(compare_recommendations(&scenario.expect, defender.recommendations()));
        wrong.extend(compare_flows(&scenario.expect, &journal));
        if !wrong.is_empty() {
            verdict = Verdict::Fail;
            findings.extend(wrong);
        }
    }
    let alerts = snapshot_text(defender.alerts(), defender.recommendations(), |ordinal| {
        raised_in.get(usize::try_from(ordinal).ok()?).cloned()
    });
    Replayed { verdict, findings, alerts }
}

/// What the defender makes of a journal.
pub(crate) fn fold(recorded: &Recorded) -> Defender {
    let mut defender = Defender::new();
    let mut end = recorded.header.t0;
    for line in &recorded.lines {
        match &line.entry {
            Entry::Hub(record) => {
                defender.handle(record);
                end = record.at;
            }
            Entry::Harness(HarnessRecord::RunEnded { at }) => end = *at,
            Entry::Harness(_) => {}
        }
    }
    defender.finish(end);
    defender
}
