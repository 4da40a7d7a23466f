//! The coverage that somebody reviewed, scenarios/COVERAGE.md, and what a run lost of it.
//!
//! A row is held against the run if every scenario of it was run, on whatever board: a run of a few scenarios says
//! nothing about the rest. A scenario that no longer exists is no excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::coverage::Coverage;

/// scenarios/COVERAGE.md, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCoverage {
    boards: Vec<String>,
    rows: Vec<WrittenRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WrittenRow {
    slug: String,
    /// What each board showed, by its id.
    cells: BTreeMap<String, String>,
    scenarios: BTreeSet<String>,
}

/// Why it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no table `| row | kind | BOARD... | scenarios | notes |` in it")]
pub struct NoTable;

/// What a board showed of a row and no longer shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The row.
    pub slug: String,
    /// The board.
    pub board: String,
    /// Of `fired`, `silent`, `boundary`.
    pub what: Vec<String>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LOST {} on {}: {}", self.slug, self.board, self.what.join(", "))
    }
}

/// A run, held against the written coverage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// What was lost, in the order of the table.
    pub lost: Vec<Lost>,
    /// Rows whose scenarios were not all run, in the order of the table.
    pub not_run: Vec<String>,
}

impl WrittenCoverage {
    /// Reads the table.
    pub fn parse(text: &str) -> Result<Self, NoTable> {
        let cells = |line: &str| -> Vec<String> {
            let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
            inner.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let mut lines = text.lines().filter(|line| line.starts_with('|')).map(cells);
        let head = lines.next().ok_or(NoTable)?;
        let [row, kind, boards @ .., scenarios, notes] = &head[..] else { return Err(NoTable) };
        if [row, kind, scenarios, notes] != ["row", "kind", "scenarios", "notes"] {
            return Err(NoTable);
        }
        let boards = boards.to_vec();
        let rows = lines.skip(1).filter(|cells| cells.len() == head.len()).map(|cells| WrittenRow {
            slug: cells[0].clone(),
            cells: boards.iter().cloned().zip(cells[2..].iter().cloned()).collect(),
            scenarios: linked(&cells[head.len() - 2]),
        });
        Ok(Self { rows: rows.collect(), boards })
    }

    /// Boards with a column.
    pub fn boards(&self) -> &[String] {
        &self.boards
    }

    /// What the board showed of each row.
    pub fn column(&self, board: &str) -> BTreeMap<&str, &str> {
        let cell = |row: &'_ WrittenRow| row.cells.contains_key(board);
        let rows = self.rows.iter().filter(|row| cell(row));
        rows.map(|row| (row.slug.as_str(), row.cells[board].as_str())).collect()
    }

    /// Holds a run against it; `existing` are the ids of all scenarios that there are.
    pub fn guard(&self, run: &Coverage, existing: &BTreeSet<String>) -> Guarded {
        let was_run = |id: &&String| run.ran.iter().any(|place| place.scenario == **id);
        let mut guarded = Guarded::default();
        for row in &self.rows {
            if !row.scenarios.intersection(existing).all(|id| was_run(&id)) {
                guarded.not_run.push(row.slug.clone());
                continue;
            }
            for board in self.boards.iter().filter(|board| run.boards.contains(*board)) {
                guarded.lost.extend(lost(row, board, run));
            }
        }
        guarded
    }
}

fn lost(row: &WrittenRow, board: &str, run: &Coverage) -> Option<Lost> {
    let shown = run.rows.iter().find(|shown| shown.slug == row.slug);
    let shown = shown.map(|shown| shown.cell(board)).unwrap_or_default();
    let is_shown = |what: &str| shown.split(", ").any(|shown| shown == what);
    let written = row.cells.get(board)?.split(", ").filter(|what| *what != "-");
    let what: Vec<String> = written.filter(|what| !is_shown(what)).map(str::to_owned).collect();
    (!what.is_empty()).then(|| Lost { slug: row.slug.clone(), board: board.to_owned(), what })
}

/// The texts of a cell's links.
fn linked(cell: &str) -> BTreeSet<String> {
    let links = cell.split('[').skip(1);
    links.filter_map(|link| link.split_once(']')).map(|(text, _)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::coverage::{CoverageRow, FiredBy, Shown};

    use super::*;

    const WRITTEN: &str = "# Coverage\n\n\
        | row | kind | qemu | sim | scenarios | notes |\n|---|---|---|---|---|---|\n\
        | sas-expired | built-in | fired | fired, silent, boundary | [a/x](a/x.yaml), [a/y](a/y.yaml) |  |\n\
        | d2c-amqp | custom | - | - |  | n/a: later |\n";
    const ALL: Shown = Shown { fired: true, silent: true, exact: true };

    /// A run of these scenarios on both boards.
    fn run(scenarios: &[&str], sim: Shown, qemu: Shown) -> Coverage {
        let boards = [("sim".to_owned(), sim), ("qemu".to_owned(), qemu)];
        let place = |board: &str| {
            let of = |id: &&str| FiredBy { scenario: (*id).to_owned(), board: board.to_owned() };
            scenarios.iter().map(of).collect::<Vec<_>>()
        };
        let row = CoverageRow {
            slug: "sas-expired",
            kind: "built-in",
            fired_by: place("sim"),
            benign_twin: true,
            boundary: Some(true),
            boards: boards.clone().into(),
            notes: BTreeSet::new(),
            seeded: true,
        };
        let ran = place("sim").into_iter().chain(place("qemu")).collect();
        Coverage { rows: vec![row], boards: boards.map(|(board, _)| board).into(), ran }
    }

    fn guard(run: &Coverage) -> Guarded {
        let existing = ["a/x", "a/y", "b/z"].map(str::to_owned).into();
        WrittenCoverage::parse(WRITTEN).unwrap().guard(run, &existing)
    }

    fn said(guarded: &Guarded) -> Vec<String> {
        guarded.lost.iter().map(Lost::to_string).collect()
    }

    #[test]
    fn a_run_that_shows_as_much_or_more_lost_nothing() {
        assert_eq!(guard(&run(&["a/x", "a/y"], ALL, ALL)), Guarded::default());
    }

    #[test]
    fn each_part_of_each_cell_can_be_lost() {
        let silent = Shown { fired: false, ..ALL };
        let inexact = Shown { exact: false, ..ALL };
        let nothing = Shown::default();
        for (sim, qemu, words) in [
            (silent, ALL, "LOST sas-expired on sim: fired"),
            (inexact, ALL, "LOST sas-expired on sim: boundary"),
            (nothing, ALL, "LOST sas-expired on sim: fired, silent, boundary"),
            (ALL, nothing, "LOST sas-expired on qemu: fired"),
        ] {
            assert_eq!(said(&guard(&run(&["a/x", "a/y"], sim, qemu))), [words]);
        }
    }

    #[test]
    fn a_row_that_the_catalogue_no_longer_has_is_lost() {
        let mut run = run(&["a/x", "a/y"], ALL, ALL);
        run.rows.clear();
        assert_eq!(
            said(&guard(&run)),
            ["LOST sas-expired on qemu: fired", "LOST sas-expired on sim: fired, silent, boundary"]
        );
    }

    #[test]
    fn rows_whose_scenarios_were_not_all_run_are_not_judged_but_one_that_is_gone_is_no_excuse() {
        let part = guard(&run(&["a/x"], Shown::default(), ALL));
        assert_eq!((part.lost, part.not_run), (vec![], vec!["sas-expired".to_owned()]));
        let existing = BTreeSet::from(["a/x".to_owned()]);
        let gone = run(&["a/x"], Shown::default(), ALL);
        let guarded = WrittenCoverage::parse(WRITTEN).unwrap().guard(&gone, &existing);
        assert_eq!(said(&guarded), ["LOST sas-expired on sim: fired, silent, boundary"]);
    }

    #[test]
    fn a_board_that_was_not_run_is_not_judged() {
        let mut run = run(&["a/x", "a/y"], ALL, Shown::default());
        run.boards.remove("qemu");
        assert_eq!(guard(&run), Guarded::default());
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        for text in ["", "# Coverage\n", "| row | kind |\n", "| a | b | c | d |\n"] {
            assert_eq!(WrittenCoverage::parse(text), Err(NoTable), "{text}");
        }
    }

    #[test]
    fn a_row_as_json_has_the_documented_shape() {
        let row = serde_json::to_value(&run(&["a/x"], ALL, ALL).rows[0]).unwrap();
        let fired_by = serde_json::json!([{ "scenario": "a/x", "board": "sim" }]);
        let expected = serde_json::json!({
            "slug": "sas-expired", "kind": "built-in", "fired_by": fired_by, "benign_twin": true, "boundary": true,
        });
        assert_eq!(row, expected);
    }
}
