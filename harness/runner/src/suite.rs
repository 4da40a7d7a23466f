//! Many trials: scenarios times boards, repeated where asked for, on several threads, reported in the
//! order of the plan.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use hilarm_board::{Board, Elf};
use hilarm_scenario::ScenarioFile;

use crate::judge::{Finding, Verdict};
use crate::pool::Pool;
use crate::result::RunResult;
use crate::snapshot::Snapshots;
use crate::trial::Trial;

/// A board with the firmware it boots.
pub struct Bench {
    /// The board.
    pub board: Board,
    /// Its firmware, or why it cannot be had: then every trial on it ends `infra`.
    pub elf: Result<Option<Elf>, String>,
}

/// What to run.
pub struct Suite {
    /// The scenarios.
    pub scenarios: Vec<ScenarioFile>,
    /// The boards.
    pub benches: Vec<Bench>,
    /// The seed in place of each scenario's own.
    pub seed: Option<u64>,
    /// How often each trial runs; a difference between repeats is `flaky`.
    pub repeat: u32,
    /// Threads.
    pub jobs: usize,
    /// Folder for journals and captures.
    pub folder: Option<PathBuf>,
    /// Snapshots to compare with.
    pub snapshots: Option<Snapshots>,
    /// Arguments that repeating a trial needs besides scenario, board and seed, e.g. `--elf FILE`.
    pub options: String,
    /// Boards that stay open from one trial to the next.
    pub pool: Pool,
}

/// Results of one scenario on one board.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// Place in the plan.
    pub number: usize,
    /// Main run and controls.
    pub runs: Vec<RunResult>,
    /// Arguments that repeating it needs besides scenario, board and seed.
    pub options: String,
}

impl Suite {
    /// How many trials there are.
    pub fn trials(&self) -> usize {
        self.scenarios.len() * self.benches.len()
    }

    /// Runs all trials; `report` is called on this thread, in the order of the plan. Once `stop` is set no
    /// new trial and no new repeat begins, and trials not begun are reported as skipped.
    pub fn run(&self, stop: &AtomicBool, mut report: impl FnMut(&TrialResult)) -> Vec<TrialResult> {
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        let sender = Mutex::new(sender);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, self.trials().max(1)) {
                scope.spawn(|| {
                    let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.trials() {
                            break;
                        }
                        let runs = if stop.load(Ordering::Relaxed) {
                            vec![self.not_run(number, Verdict::Skipped, "interrupted".to_owned())]
                        } else {
                            self.run_trial(number, stop)
                        };
                        let options = self.options.clone();
                        if sender.send(TrialResult { number, runs, options }).is_err() {
                            break;
                        }
                    }
                });
            }
            in_order(&results, self.trials(), &mut report)
        })
    }

    fn parts(&self, number: usize) -> (&ScenarioFile, &Bench) {
        (&self.scenarios[number / self.benches.len()], &self.benches[number % self.benches.len()])
    }

    fn run_trial(&self, number: usize, stop: &AtomicBool) -> Vec<RunResult> {
        let (file, bench) = self.parts(number);
        let elf = match &bench.elf {
            Ok(elf) => elf.as_ref(),
            Err(reason) => return vec![self.not_run(number, Verdict::Infra, reason.clone())],
        };
        let trial = Trial {
            file,
            board: &bench.board,
            elf,
            seed: self.seed,
            folder: self.folder.clone(),
            snapshots: self.snapshots.as_ref(),
            pool: &self.pool,
        };
        let mut first = trial.run();
        for round in 1..self.repeat {
            if stop.load(Ordering::Relaxed) || first.iter().any(|run| run.verdict != Verdict::Pass) {
                break;
            }
            mark_flaky(&mut first, &trial.run(), round + 1);
        }
        first
    }

    fn not_run(&self, number: usize, verdict: Verdict, reason: String) -> RunResult {
        let (file, bench) = self.parts(number);
        RunResult {
            scenario: file.id.clone(),
            variant: crate::variant::Variant::Main,
            board: bench.board.id.clone(),
            seed: self.seed.unwrap_or(file.scenario.seed),
            verdict,
            wall: std::time::Duration::ZERO,
            hub: std::time::Duration::ZERO,
            alerts: Vec::new(),
            findings: vec![Finding::new(reason)],
            last_logs: Vec::new(),
            folder: None,
            fingerprint: Vec::new(),
        }
    }
}

/// Reports results in the order of the plan, whatever the order in which they come.
fn in_order(
    results: &mpsc::Receiver<TrialResult>,
    trials: usize,
    report: &mut impl FnMut(&TrialResult),
) -> Vec<TrialResult> {
    let mut waiting = std::collections::BTreeMap::new();
    let mut done: Vec<TrialResult> = Vec::with_capacity(trials);
    while done.len() < trials {
        let Ok(result) = results.recv() else { break };
        waiting.insert(result.number, result);
        while let Some(result) = waiting.remove(&done.len()) {
            report(&result);
            done.push(result);
        }
    }
    done
}

/// Marks runs of the first round that a later round does not repeat.
fn mark_flaky(first: &mut [RunResult], again: &[RunResult], round: u32) {
    for run in first {
        let Some(other) = again.iter().find(|other| other.variant == run.variant) else {
            run.verdict = Verdict::Flaky;
            run.findings.push(Finding::new(format!("repeat {round} did not run it at all")));
            continue;
        };
        run.wall += other.wall;
        let difference = if run.verdict != other.verdict {
            let why = other.findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>();
            Some(format!("ended {}: {}", other.verdict.as_str(), why.join("; ")))
        } else {
            first_difference(&run.fingerprint, &other.fingerprint)
        };
        if let Some(difference) = difference {
            run.verdict = Verdict::Flaky;
            run.findings.push(Finding::new(format!("repeat {round} {difference}")));
        }
    }
}

fn first_difference(first: &[String], again: &[String]) -> Option<String> {
    let at = (0..first.len().max(again.len())).find(|at| first.get(*at) != again.get(*at))?;
    let show = |events: &[String]| events.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
    Some(format!("differs at HubEvent {at}:\n  first: {}\n  again: {}", show(first), show(again)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::Variant;

    fn run(variant: Variant, verdict: Verdict, events: &[&str]) -> RunResult {
        RunResult {
            scenario: "device/x".to_owned(),
            variant,
            board: "sim".to_owned(),
            seed: 1,
            verdict,
            wall: std::time::Duration::from_millis(1),
            hub: std::time::Duration::ZERO,
            alerts: Vec::new(),
            findings: if verdict == Verdict::Pass { Vec::new() } else { vec![Finding::new("broke")] },
            last_logs: Vec::new(),
            folder: None,
            fingerprint: events.iter().map(|event| (*event).to_owned()).collect(),
        }
    }

    fn after(again: &[RunResult]) -> RunResult {
        let mut first = [run(Variant::Main, Verdict::Pass, &["a", "b"])];
        mark_flaky(&mut first, again, 2);
        let [run] = first;
        run
    }

    #[test]
    fn an_equal_repeat_stays_a_pass() {
        assert_eq!(after(&[run(Variant::Main, Verdict::Pass, &["a", "b"])]).verdict, Verdict::Pass);
    }

    #[test]
    fn a_repeat_with_another_event_is_flaky_and_shows_both() {
        let marked = after(&[run(Variant::Main, Verdict::Pass, &["a", "c"])]);
        assert_eq!(marked.verdict, Verdict::Flaky);
        assert_eq!(marked.findings[0].message, "repeat 2 differs at HubEvent 1:\n  first: b\n  again: c");
        let shorter = after(&[run(Variant::Main, Verdict::Pass, &["a"])]);
        assert!(shorter.findings[0].message.ends_with("again: nothing"), "{:?}", shorter.findings);
    }

    #[test]
    fn a_repeat_with_another_verdict_is_flaky_and_says_why() {
        let marked = after(&[run(Variant::Main, Verdict::Fail, &["a", "b"])]);
        assert_eq!(marked.verdict, Verdict::Flaky);
        assert_eq!(marked.findings[0].message, "repeat 2 ended fail: broke");
    }

    #[test]
    fn a_repeat_that_leaves_a_control_out_is_flaky() {
        assert_eq!(after(&[run(Variant::Benign, Verdict::Pass, &["a", "b"])]).verdict, Verdict::Flaky);
    }
}
