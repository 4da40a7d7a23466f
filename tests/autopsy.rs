//! A scenario whose device dies: what a run leaves behind about it, what people are told, and that the board serves
//! the next scenario. In CI a missing QEMU fails these tests; elsewhere they say what is missing and pass over.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hilarm_board::{AutopsyVerdict, Board, Elf};
use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{
    Entry, HarnessRecord, Pool, RunResult, Trial, TrialResult, Verdict, read_journal, replay,
};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards, firmware, in_ci, scenario};

fn bench(id: &str) -> Option<(Board, Elf)> {
    let board = boards().into_iter().find(|board| board.id == id).unwrap();
    match firmware(&board) {
        Ok(elf) => Some((board, elf.unwrap())),
        Err(reason) => {
            assert!(!in_ci(), "CI must have QEMU and the firmware: {reason}");
            eprintln!("passed over: {reason}");
            None
        }
    }
}

/// The device dies by a bug of its own, a while after it has connected.
fn deadly(by: &str) -> ScenarioFile {
    let source = format!(
        "schema: 1
name: A device that dies
seed: 7
devices:
  pump-1: {{ auth: {{ sas: {{ ttl: 1h }} }} }}
steps:
  - connect: {{ device: pump-1 }}
  - wait_for: {{ event: {{ connection_accepted: {{ device: pump-1 }} }}, within: 10s }}
  - behaviour: {{ device: pump-1, run: crash, with: {{ by: {by} }} }}
  - run_for: 10s
expect:
  alerts: []
"
    );
    hilarm_runner::read_scenario("deadly", Path::new("deadly.yaml"), &source)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn run(file: &ScenarioFile, (board, elf): &(Board, Elf), folder: &Path, pool: &Pool) -> RunResult {
    let trial = Trial {
        file,
        board,
        elf: Some(elf),
        seed: None,
        folder: Some(folder.to_owned()),
        snapshots: None,
        pool,
    };
    trial.run().remove(0)
}

fn verdict_in_journal(folder: &Path) -> Option<AutopsyVerdict> {
    let journal = File::open(folder.join("journal.jsonl")).unwrap();
    let recorded = read_journal(BufReader::new(journal)).unwrap();
    recorded.lines.iter().find_map(|line| match &line.entry {
        Entry::Harness(HarnessRecord::DeviceFailed { verdict, .. }) => *verdict,
        _ => None,
    })
}

fn told(run: &RunResult) -> String {
    let trial = TrialResult { number: 0, runs: vec![run.clone()], options: String::new() };
    failure_text(Human { colour: false }, &trial, None)
}

#[test]
fn a_fault_is_explained_beside_the_journal_and_the_next_scenario_passes_on_the_same_pool() {
    let Some(bench) = bench("qemu-mps2-an385-probe") else { return };
    let (folder, pool) = (tempfile::tempdir().unwrap(), Pool::default());
    let died = run(&deadly("null-write"), &bench, folder.path(), &pool);
    assert_eq!(died.verdict, Verdict::Infra, "a death says nothing about the scenario");
    let left = died.folder.clone().unwrap();
    let read = |name: &str| std::fs::read_to_string(left.join(name)).unwrap();
    let text = read("autopsy.txt");
    for part in ["fault in hilarm_device::crash::write_null", "CFSR.DACCVIOL", "backtrace", "RunBehaviour"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(read("autopsy.json").contains("\"verdict\": \"fault\""));
    assert!(std::fs::metadata(left.join("core.dump")).unwrap().len() > 1024);
    assert_eq!(verdict_in_journal(&left), Some(AutopsyVerdict::Fault));
    let told = told(&died);
    assert!(
        told.contains("pump-1: fault in hilarm_device::crash::write_null (firmware/device/src/crash.rs:"),
        "{told}"
    );
    assert!(told.contains(&format!("autopsy: {}", left.join("autopsy.txt").display())), "{told}");
    let next = run(&scenario("device/sas-expired"), &bench, folder.path(), &pool);
    assert_eq!(next.verdict, Verdict::Pass, "{:?}", next.findings);
}

#[test]
fn a_board_without_a_probe_tells_what_its_console_says() {
    let Some(bench) = bench("qemu-mps2-an385") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (by, verdict) in [
        ("panic", AutopsyVerdict::Panic),
        ("null-write", AutopsyVerdict::Fault),
        ("watchdog", AutopsyVerdict::Reboot),
    ] {
        let died = run(&deadly(by), &bench, folder.path(), &Pool::default());
        let left = died.folder.clone().unwrap();
        assert_eq!(verdict_in_journal(&left), Some(verdict), "{by}: {}", told(&died));
        assert!(!left.join("core.dump").exists(), "nobody looked at the processor");
        let text = std::fs::read_to_string(left.join("autopsy.txt")).unwrap();
        assert!(text.contains("no debug probe looks at this board") && text.contains(by), "{text}");
    }
}

#[test]
fn a_replayed_journal_tells_of_what_the_device_died() {
    let Some(bench) = bench("qemu-mps2-an385-probe") else { return };
    let folder = tempfile::tempdir().unwrap();
    let died = run(&deadly("panic"), &bench, folder.path(), &Pool::default());
    let journal = File::open(died.folder.unwrap().join("journal.jsonl")).unwrap();
    let replayed = replay(read_journal(BufReader::new(journal)).unwrap());
    assert_eq!(replayed.verdict, Verdict::Infra);
    let told = &replayed.findings[0].message;
    assert!(told.starts_with("pump-1: panic: the firmware panicked: told to panic"), "{told}");
}
