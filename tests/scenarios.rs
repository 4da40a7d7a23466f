//! Every scenario on every board, controls and snapshot included: one trial each, so that test runners can
//! list, filter and partition them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hilarm_board::{Backend, Board, Elf};
use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{Pool, Snapshots, Trial, TrialResult, Verdict, lacking};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards, firmware, in_ci, root, scenarios};
use libtest_mimic::{Arguments, Failed, Trial as TestCase};

fn main() {
    let arguments = Arguments::from_args();
    let snapshots = root().join("scenarios/snapshots");
    let state = root().join(".hilarm");
    let snapshots = Snapshots::new(&snapshots, &state).expect("a folder for insta's configuration");
    let snapshots = Arc::new(snapshots);
    // Boards behind a debug probe are opened and flashed once for all of these.
    let pool = Pool::default();
    let mut cases = Vec::new();
    for board in boards() {
        if board.backend == Backend::Probe && board.emulator.is_none() {
            eprintln!("{} is no test: it is silicon", board.id);
            continue;
        }
        let elf = firmware(&board);
        for file in scenarios() {
            cases.push(case(file, board.clone(), elf.clone(), Arc::clone(&snapshots), pool.clone()));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, cases);
    // Leaving by `exit` drops nothing, and these hold emulators and their folders.
    drop(pool);
    conclusion.exit();
}

fn case(
    file: ScenarioFile,
    board: Board,
    elf: Result<Option<Elf>, String>,
    snapshots: Arc<Snapshots>,
    pool: Pool,
) -> TestCase {
    let name = format!("{}::{}", board.id, file.id);
    let missing = elf.clone().err().filter(|_| !in_ci());
    // What a board cannot do is counted as skipped, in CI too.
    let reason = lacking(&file.scenario, &board).or(missing);
    let ignored = reason.is_some();
    if let Some(reason) = &reason {
        eprintln!("{name} is ignored: {reason}");
    }
    let run = move || match elf {
        Ok(elf) => run(&file, &board, elf.as_ref(), &snapshots, &pool),
        Err(reason) => Err(Failed::from(reason)),
    };
    TestCase::test(name, run).with_ignored_flag(ignored)
}

fn run(
    file: &ScenarioFile,
    board: &Board,
    elf: Option<&Elf>,
    snapshots: &Snapshots,
    pool: &Pool,
) -> Result<(), Failed> {
    let trial =
        Trial { file, board, elf, seed: None, folder: None, snapshots: Some(snapshots), pool: Some(pool) };
    let runs = trial.run();
    if runs.iter().all(|run| run.verdict == Verdict::Pass) {
        return Ok(());
    }
    let result = TrialResult { number: 0, runs, options: String::new() };
    Err(Failed::from(failure_text(Human { colour: false }, &result, Some(file))))
}
