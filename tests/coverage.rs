//! Every row of the catalogue that the seeds name fires in a run of all scenarios, on sim and in QEMU, and
//! scenarios/COVERAGE.md says what those runs show: a row that loses coverage fails here.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use hilarm_board::{Board, Elf};
use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{
    Bench, Coverage, CoverageRow, Guarded, Pool, REGENERATE, Suite, Verdict, WrittenCoverage,
};
use hilarm_tests::{boards, qemu, root, scenarios};

/// What a whole run on one board shows.
fn run(board: Board, elf: Option<Elf>) -> Coverage {
    let folder = tempfile::tempdir().unwrap();
    let suite = Suite {
        scenarios: scenarios(),
        benches: vec![Bench { board, elf: Ok(elf) }],
        seed: None,
        repeat: 1,
        jobs: 2,
        folder: Some(folder.path().to_owned()),
        snapshots: None,
        options: String::new(),
        pool: Pool::default(),
    };
    for trial in suite.run(&AtomicBool::new(false), |_| {}) {
        // A row that was not run has a reason, and the reason is here.
        if trial.runs.iter().any(|run| !matches!(run.verdict, Verdict::Pass | Verdict::Skipped)) {
            println!("{}", failure_text(Human { colour: false }, &trial, None));
        }
    }
    Coverage::of(folder.path()).unwrap()
}

fn on_sim() -> &'static Coverage {
    static COVERAGE: OnceLock<Coverage> = OnceLock::new();
    COVERAGE.get_or_init(|| run(boards().into_iter().find(|board| board.id == "sim").unwrap(), None))
}

fn written() -> WrittenCoverage {
    let text = std::fs::read_to_string(root().join("scenarios/COVERAGE.md")).unwrap();
    WrittenCoverage::parse(&text).unwrap()
}

/// Rows that a seed names, less those whose protocol nothing speaks yet.
fn within_reach() -> impl Iterator<Item = &'static CoverageRow> {
    on_sim().rows.iter().filter(|row| row.seeded && !row.slug.ends_with("-amqp"))
}

/// Nothing lost, and nothing there that nobody reviewed.
fn is_as_written(coverage: &Coverage, board: &str) {
    let existing: BTreeSet<String> = scenarios().into_iter().map(|file| file.id).collect();
    let guarded = written().guard(coverage, &existing);
    let lost: Vec<String> = guarded.lost.iter().map(ToString::to_string).collect();
    assert!(guarded == Guarded::default(), "{}; not run: {:?}", lost.join("; "), guarded.not_run);
    let written = written();
    let written = written.column(board);
    for row in &coverage.rows {
        let (was, is) = (written.get(row.slug).copied(), row.cell(board));
        let hint = format!("if that is meant, make it anew: {REGENERATE}");
        assert_eq!(was, Some(&*is), "scenarios/COVERAGE.md is out of date about {}; {hint}", row.slug);
    }
    assert_eq!(written.len(), coverage.rows.len(), "rows that no longer exist; {REGENERATE}");
}

#[test]
fn every_row_that_the_seeds_name_fires_on_sim() {
    let silent: Vec<_> = within_reach().filter(|row| row.fired_by.is_empty()).map(|row| row.slug).collect();
    assert!(silent.is_empty(), "rows without a scenario in which they fire: {silent:?}");
}

#[test]
fn every_row_has_its_controls_or_a_reason() {
    for row in within_reach() {
        let reason = row.notes.iter().any(|note| note.starts_with("benign twin n/a"));
        assert!(row.benign_twin || reason, "{} is not shown silent without the attack", row.slug);
        assert_ne!(row.boundary, Some(false), "{} is not shown exact at its threshold", row.slug);
    }
}

#[test]
fn no_row_loses_coverage_on_sim() {
    is_as_written(on_sim(), "sim");
}

#[test]
fn no_row_loses_coverage_in_qemu() {
    if let Some((board, elf)) = qemu() {
        let id = board.id.clone();
        is_as_written(&run(board, Some(elf)), &id);
    }
}

#[test]
fn a_board_with_a_column_is_one_that_the_tests_run() {
    assert_eq!(written().boards(), ["qemu-mps2-an385", "sim"]);
}
