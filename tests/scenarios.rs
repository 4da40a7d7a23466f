//! Every scenario on every board, controls and snapshot included: one trial each, so that test runners can
//! list, filter and partition them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hilarm_board::{Backend, Board, Elf, Pace};
use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{Pool, RunResult, Snapshots, Trial, TrialResult, Variant, Verdict, lacking};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards, firmware, in_ci, root, scenarios};
use libtest_mimic::{Arguments, Failed, Trial as TestCase};

/// What boards that live in real time are asked. A scenario lasts as long there as it says, its controls as long again,
/// and what it proves of the hub is proven in virtual time; these show that the board's one wire carries it all: every
/// kind of credential over TLS, steps of the management plane beside the device's, an alert with its controls.
const IN_REAL_TIME: [&str; 3] =
    ["benign/every-good-credential", "campaigns/certificates-come-and-go", "custom/twin-updates"];

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
    let reason = lacking(&file.scenario, &board).or(missing).or_else(|| real_time(&file.id, &board));
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

/// Why the board is not asked this, though it could.
fn real_time(scenario: &str, board: &Board) -> Option<String> {
    // Firmware without a link has no other board to prove it on.
    let asked = board.pace() == Pace::Granted || board.link.is_none() || IN_REAL_TIME.contains(&scenario);
    (!asked).then(|| "real time would pass, and other boards show it in virtual time".to_owned())
}

fn run(
    file: &ScenarioFile,
    board: &Board,
    elf: Option<&Elf>,
    snapshots: &Snapshots,
    pool: &Pool,
) -> Result<(), Failed> {
    let trial = Trial { file, board, elf, seed: None, folder: None, snapshots: Some(snapshots), pool };
    let runs = trial.run();
    // A boundary that lies beyond what a board may live in real time is left to the others.
    let is_fine = |run: &RunResult| match run.verdict {
        Verdict::Pass => true,
        Verdict::Skipped => run.variant != Variant::Main && board.pace() == Pace::Real,
        _ => false,
    };
    if runs.iter().all(is_fine) {
        return Ok(());
    }
    let result = TrialResult { number: 0, runs, options: String::new() };
    Err(Failed::from(failure_text(Human { colour: false }, &result, Some(file))))
}
