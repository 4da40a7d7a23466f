//! Every row of the catalogue that the seeds name fires in a run of all scenarios, and scenarios/COVERAGE.md
//! says of sim what that run shows.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use hilarm_runner::{Bench, Coverage, CoverageRow, Pool, REGENERATE, Suite};
use hilarm_tests::{boards, root, scenarios};

/// A whole run on sim.
fn coverage() -> &'static Coverage {
    static COVERAGE: OnceLock<Coverage> = OnceLock::new();
    COVERAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let sim = boards().into_iter().find(|board| board.id == "sim").unwrap();
        let suite = Suite {
            scenarios: scenarios(),
            benches: vec![Bench { board: sim, elf: Ok(None) }],
            seed: None,
            repeat: 1,
            jobs: 2,
            folder: Some(folder.path().to_owned()),
            snapshots: None,
            options: String::new(),
            pool: Pool::default(),
        };
        suite.run(&AtomicBool::new(false), |_| {});
        Coverage::of(folder.path()).unwrap()
    })
}

/// Rows that a seed names, less those whose protocol nothing speaks yet.
fn within_reach() -> impl Iterator<Item = &'static CoverageRow> {
    coverage().rows.iter().filter(|row| row.seeded && !row.slug.ends_with("-amqp"))
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
fn the_written_coverage_of_sim_is_what_a_run_shows() {
    let written = std::fs::read_to_string(root().join("scenarios/COVERAGE.md")).unwrap();
    let written = column(&written, "sim");
    for row in &coverage().rows {
        let (was, is) = (written.get(row.slug), row.cell("sim"));
        let hint = format!("if that is meant, make it anew: {REGENERATE}");
        assert_eq!(was, Some(&is), "scenarios/COVERAGE.md is out of date about {}; {hint}", row.slug);
    }
    assert_eq!(written.len(), coverage().rows.len(), "rows that no longer exist; {REGENERATE}");
}

/// Cells of one column of a Markdown table, by those of the first.
fn column(text: &str, name: &str) -> BTreeMap<String, String> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = text.lines().filter(|line| line.starts_with('|'));
    let head = cells(lines.next().unwrap());
    let at = head.iter().position(|cell| cell == name).unwrap();
    lines.skip(1).map(cells).map(|cells| (cells[1].clone(), cells[at].clone())).collect()
}
