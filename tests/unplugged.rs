//! Boards behind a debug probe whose probe goes away: each run ends as `probe-error`, at once, and the next one has a
//! board again.
#![cfg(feature = "probe")]
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hilarm_board::{Board, Elf};
use hilarm_runner::{Pool, RunResult, Trial, Variant, Verdict, lacking};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards, firmware, in_ci, scenario, scenarios};

/// A run that lost its probe ends well before any limit of a request, of which the shortest is five seconds.
const AT_ONCE: Duration = Duration::from_secs(4);
/// How often whoever pulls out probes looks for one.
const GLANCE: Duration = Duration::from_millis(1);

/// The emulated board behind a probe. Without QEMU or firmware a test passes over, outside CI.
fn bench() -> Option<(Board, Elf)> {
    let board = boards().into_iter().find(|board| board.id == "qemu-mps2-an385-probe").unwrap();
    match firmware(&board) {
        Ok(elf) => elf.map(|elf| (board, elf)),
        Err(reason) => {
            assert!(!in_ci(), "CI must have QEMU and the firmware: {reason}");
            eprintln!("passed over: {reason}");
            None
        }
    }
}

fn run(file: &ScenarioFile, (board, elf): &(Board, Elf), pool: &Pool) -> Vec<RunResult> {
    let elf = Some(elf);
    Trial { file, board, elf, seed: None, folder: None, snapshots: None, pool }.run()
}

/// Whoever opens a board loses its probe, as long as `work` goes on.
fn without_probes<T>(pool: &Pool, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                pool.unplug();
                thread::park_timeout(GLANCE);
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

#[track_caller]
fn assert_probe_error(file: &ScenarioFile, runs: &[RunResult]) {
    let [main] = runs else { panic!("{}: controls of a run that failed: {}", file.id, runs.len()) };
    assert_eq!((&main.variant, main.verdict), (&Variant::Main, Verdict::Infra), "{}", file.id);
    let told = main.findings.iter().any(|finding| finding.message.contains("probe-error: "));
    assert!(told, "{}: {:?}", file.id, main.findings);
}

#[test]
fn with_the_bridge_killed_every_trial_ends_as_probe_error_and_the_next_one_passes() {
    let Some(bench) = bench() else { return };
    let pool = Pool::default();
    // Each takes as long as opening a board; which of them it is makes no difference to a probe.
    let fitting = scenarios().into_iter().filter(|file| lacking(&file.scenario, &bench.0).is_none());
    let files: Vec<_> = fitting.step_by(8).collect();
    assert!(files.len() > 5, "{}", files.len());
    without_probes(&pool, || {
        for file in &files {
            assert_probe_error(file, &run(file, &bench, &pool));
        }
    });
    let verdicts: Vec<_> =
        run(&scenario("device/sas-expired"), &bench, &pool).iter().map(|run| run.verdict).collect();
    assert!(verdicts.len() > 3 && verdicts.iter().all(|verdict| *verdict == Verdict::Pass), "{verdicts:?}");
}

#[test]
fn a_probe_pulled_out_at_any_moment_of_a_long_run_ends_it_at_once() {
    let Some(bench) = bench() else { return };
    let pool = Pool::default();
    let file = scenario("benign/ten-minutes");
    let source = file.source.replace("run_for: 3m", "run_for: 1000d");
    assert_ne!(source, file.source);
    let file = hilarm_runner::read_scenario(&file.id, &file.path, &source).unwrap();
    for after_ms in [5, 40, 150, 500] {
        thread::scope(|scope| {
            let runs = scope.spawn(|| run(&file, &bench, &pool));
            while pool.open() == 0 {
                assert!(!runs.is_finished(), "no board was opened");
                thread::park_timeout(GLANCE);
            }
            // Not a wait for anything: the moment at which somebody pulls.
            thread::park_timeout(Duration::from_millis(after_ms));
            assert_eq!(pool.unplug(), 1);
            let began = Instant::now();
            assert_probe_error(&file, &runs.join().unwrap());
            assert!(began.elapsed() < AT_ONCE, "after {after_ms} ms it took {:?}", began.elapsed());
            assert_eq!(pool.open(), 0, "a board without a probe is not kept");
        });
    }
}
