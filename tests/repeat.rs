//! The same seed gives the same events, five times in a row and with both cores kept busy by others.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{Bench, Pool, Suite, Verdict};
use hilarm_tests::{boards, qemu, scenario};

/// One of each way to connect, a flood, a botnet, and a lossy network.
const SCENARIOS: [&str; 5] = [
    "benign/latency-and-loss",
    "custom/d2c-mqtt",
    "device/sas-expired",
    "device/suspicious-ip",
    "device/x509-expired",
];
const REPEATS: u32 = 5;

#[test]
fn five_repeats_on_a_loaded_machine_do_not_differ() {
    let sim = boards().into_iter().find(|board| board.id == "sim").unwrap();
    let mut benches = vec![Bench { board: sim, elf: Ok(None) }];
    benches.extend(qemu().map(|(board, elf)| Bench { board, elf: Ok(Some(elf)) }));
    let suite = Suite {
        scenarios: SCENARIOS.iter().map(|id| scenario(id)).collect(),
        benches,
        seed: None,
        repeat: REPEATS,
        jobs: 2,
        folder: None,
        snapshots: None,
        options: String::new(),
        pool: Pool::default(),
    };
    let done = AtomicBool::new(false);
    let results = std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let results = suite.run(&AtomicBool::new(false), |_| {});
        done.store(true, Ordering::Relaxed);
        results
    });
    for trial in &results {
        let passed = trial.runs.iter().all(|run| run.verdict == Verdict::Pass);
        assert!(passed, "{}", failure_text(Human { colour: false }, trial, None));
    }
}
