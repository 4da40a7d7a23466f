//! The coverage that somebody reviewed, scenarios/COVERAGE.md, and what a run lost of it.
//!
//! A row is held against the run if every scenario of it was run, on whatever board: a run of a few scenarios says
//! nothing about the rest. A scenario that no longer exists is no excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::coverage::{Coverage, FiredBy};

/// scenarios/COVERAGE.md, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCoverage {
    boards: Vec<String>,
    rows: Vec<WrittenRow>,
    places: Vec<WrittenPlace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WrittenRow {
    slug: String,
    /// What each board showed, by its id.
    cells: BTreeMap<String, String>,
    scenarios: BTreeSet<String>,
}

/// What one scenario showed of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WrittenPlace {
    slug: String,
    scenario: String,
    /// What each board showed, by its id.
    cells: BTreeMap<String, String>,
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
    /// The scenario that showed it, where others still do.
    pub scenario: Option<String>,
    /// The board.
    pub board: String,
    /// Of `fired`, `silent`, `boundary`.
    pub what: Vec<String>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LOST {}", self.slug)?;
        if let Some(scenario) = &self.scenario {
            write!(f, " by {scenario}")?;
        }
        write!(f, " on {}: {}", self.board, self.what.join(", "))
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
    /// Reads both tables; the second one may be missing.
    pub fn parse(text: &str) -> Result<Self, NoTable> {
        let mut tables = tables(text).into_iter();
        let mut lines = tables.next().ok_or(NoTable)?.into_iter();
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
        let places = tables.next().map(places).unwrap_or_default();
        Ok(Self { rows: rows.collect(), boards, places })
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
        let was_run = |id: &str| run.ran.iter().any(|place| place.scenario == id);
        let mut guarded = Guarded::default();
        for row in &self.rows {
            let mut asked = row.scenarios.intersection(existing).filter(|id| self.is_for(row, id, run));
            if !asked.all(|id| was_run(id)) {
                guarded.not_run.push(row.slug.clone());
                continue;
            }
            for board in self.boards.iter().filter(|board| run.boards.contains(*board)) {
                guarded.lost.extend(lost(row, board, run));
            }
        }
        let of_rows: BTreeSet<_> = guarded.lost.iter().map(|lost| lost.slug.clone()).collect();
        let places = self.places.iter().filter(|place| !of_rows.contains(&place.slug));
        let lost = places.flat_map(|place| place.lost(run)).collect::<Vec<_>>();
        guarded.lost.extend(lost);
        guarded
    }

    /// Whether the scenario is for any board of the run that has a column.
    fn is_for(&self, row: &WrittenRow, scenario: &str, run: &Coverage) -> bool {
        let place = self.places.iter().find(|place| place.slug == row.slug && place.scenario == scenario);
        let cell = |board| place.and_then(|place| place.cells.get(board));
        let mut boards = self.boards.iter().filter(|board| run.boards.contains(*board));
        boards.any(|board| !cell(board).is_some_and(|cell| cell.starts_with("n/a")))
    }
}

impl WrittenPlace {
    /// What the scenario no longer shows on boards on which it ran.
    fn lost(&self, run: &Coverage) -> Vec<Lost> {
        let row = run.rows.iter().find(|row| row.slug == self.slug);
        let ran = |board: &str| {
            run.ran.contains(&FiredBy { scenario: self.scenario.clone(), board: board.to_owned() })
        };
        let lost = self.cells.iter().filter(|(board, _)| ran(board)).filter_map(|(board, written)| {
            let what = missing(written, &run.cell(row?, &self.scenario, board))?;
            let (slug, scenario) = (self.slug.clone(), Some(self.scenario.clone()));
            Some(Lost { slug, scenario, board: board.clone(), what })
        });
        lost.collect()
    }
}

fn lost(row: &WrittenRow, board: &str, run: &Coverage) -> Option<Lost> {
    let shown = run.rows.iter().find(|shown| shown.slug == row.slug);
    let shown = shown.map(|shown| shown.cell(board)).unwrap_or_default();
    let what = missing(row.cells.get(board)?, &shown)?;
    Some(Lost { slug: row.slug.clone(), scenario: None, board: board.to_owned(), what })
}

/// What is written and not shown; nothing when all of it is.
fn missing(written: &str, shown: &str) -> Option<Vec<String>> {
    let is_shown = |what: &str| shown.split(", ").any(|shown| shown == what);
    let known = |what: &&str| ["fired", "silent", "boundary"].contains(what);
    let what = written.split(", ").filter(known).filter(|what| !is_shown(what));
    let what: Vec<String> = what.map(str::to_owned).collect();
    (!what.is_empty()).then_some(what)
}

/// The cells of each table, line by line.
fn tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let cells = |line: &&str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let lines: Vec<&str> = text.lines().collect();
    let tables = lines.split(|line| !line.starts_with('|')).filter(|table| !table.is_empty());
    tables.map(|table| table.iter().map(cells).collect()).collect()
}

/// The second table.
fn places(table: Vec<Vec<String>>) -> Vec<WrittenPlace> {
    let mut lines = table.into_iter();
    let Some(head) = lines.next() else { return Vec::new() };
    let place = |cells: Vec<String>| {
        let scenario = linked(cells.get(1)?).pop_first()?;
        let cells_by_board = head.iter().cloned().zip(cells.iter().cloned()).skip(2);
        Some(WrittenPlace { slug: cells[0].clone(), scenario, cells: cells_by_board.collect() })
    };
    lines.skip(1).filter_map(place).collect()
}

/// The texts of a cell's links.
fn linked(cell: &str) -> BTreeSet<String> {
    let links = cell.split('[').skip(1);
    links.filter_map(|link| link.split_once(']')).map(|(text, _)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::coverage::{CoverageRow, Shown};

    use hilarm_scenario::BoardsSpec;

    use super::*;

    const WRITTEN: &str = "# Coverage\n\n\
        | row | kind | qemu | sim | scenarios | notes |\n|---|---|---|---|---|---|\n\
        | sas-expired | built-in | fired | fired, silent, boundary | [a/x](a/x.yaml), [a/y](a/y.yaml) |  |\n\
        | d2c-amqp | custom | - | - |  | n/a: later |\n";
    const ALL: Shown = Shown { fired: true, silent: true, exact: true };

    /// A run of these scenarios on both boards.
    fn run(scenarios: &[&str], sim: Shown, qemu: Shown) -> Coverage {
        let boards = ["sim", "qemu"].map(str::to_owned);
        let shown =
            |board: &str, shown: Shown| place_of(scenarios, board).into_iter().map(move |at| (at, shown));
        let row = CoverageRow {
            slug: "sas-expired",
            kind: "built-in",
            fired_by: place_of(scenarios, "sim"),
            benign_twin: true,
            boundary: Some(true),
            places: shown("sim", sim).chain(shown("qemu", qemu)).collect(),
            notes: BTreeSet::new(),
            seeded: true,
        };
        let ran = place_of(scenarios, "sim").into_iter().chain(place_of(scenarios, "qemu")).collect();
        Coverage { rows: vec![row], boards: boards.into(), ran, limited: BTreeMap::new() }
    }

    fn place_of(scenarios: &[&str], board: &str) -> Vec<FiredBy> {
        let of = |id: &&str| FiredBy { scenario: (*id).to_owned(), board: board.to_owned() };
        scenarios.iter().map(of).collect()
    }

    /// What stands in COVERAGE.md of a run, read back.
    fn written(run: &Coverage) -> WrittenCoverage {
        WrittenCoverage::parse(&run.markdown()).unwrap()
    }

    #[test]
    fn what_is_written_of_a_run_is_read_back_and_that_run_loses_nothing_of_it() {
        let run = run(&["a/x", "a/y"], ALL, Shown { exact: false, ..ALL });
        let written = written(&run);
        assert_eq!(written.boards(), ["qemu", "sim"]);
        assert_eq!(written.column("qemu"), BTreeMap::from([("sas-expired", "fired, silent")]));
        let place = |scenario: &str| WrittenPlace {
            slug: "sas-expired".into(),
            scenario: scenario.into(),
            cells: [("qemu", "fired, silent"), ("sim", "fired, silent, boundary")]
                .map(|(board, cell)| (board.to_owned(), cell.to_owned()))
                .into(),
        };
        assert_eq!(written.places, [place("a/x"), place("a/y")]);
        let existing = ["a/x", "a/y"].map(str::to_owned).into();
        assert_eq!(written.guard(&run, &existing), Guarded::default());
    }

    #[test]
    fn what_one_scenario_no_longer_shows_is_lost_although_another_one_does() {
        let whole = run(&["a/x", "a/y"], ALL, ALL);
        let mut poorer = whole.clone();
        let place = FiredBy { scenario: "a/y".into(), board: "qemu".into() };
        poorer.rows[0].places.insert(place.clone(), Shown { silent: false, ..ALL });
        let existing: BTreeSet<String> = ["a/x", "a/y"].map(str::to_owned).into();
        let guarded = written(&whole).guard(&poorer, &existing);
        assert_eq!(said(&guarded), ["LOST sas-expired by a/y on qemu: silent"]);
        poorer.ran.remove(&place);
        assert_eq!(written(&whole).guard(&poorer, &existing), Guarded::default(), "it did not run there");
    }

    #[test]
    fn a_scenario_that_is_not_for_a_board_says_why_and_loses_nothing() {
        let mut run = run(&["a/x"], ALL, ALL);
        let place = FiredBy { scenario: "a/x".into(), board: "qemu".into() };
        run.ran.remove(&place);
        run.rows[0].places.remove(&place);
        let only = BoardsSpec { only: vec!["sim".into()], reason: "too many for a desk".into() };
        run.limited.insert("a/x".into(), only);
        assert!(run.markdown().contains("| n/a: too many for a desk | fired, silent, boundary |"));
        assert_eq!(written(&run).guard(&run, &["a/x".to_owned()].into()), Guarded::default());
    }

    #[test]
    fn a_run_on_one_board_need_not_run_what_is_not_for_it() {
        let mut whole = run(&["a/x", "a/y"], ALL, ALL);
        let only = BoardsSpec { only: vec!["sim".into()], reason: "too many for a desk".into() };
        let elsewhere = FiredBy { scenario: "a/x".into(), board: "qemu".into() };
        whole.ran.remove(&elsewhere);
        whole.rows[0].places.remove(&elsewhere);
        whole.limited.insert("a/x".into(), only);
        let mut in_qemu = whole.clone();
        in_qemu.boards.remove("sim");
        in_qemu.ran.retain(|place| place.board == "qemu");
        in_qemu.rows[0].places.retain(|place, _| place.board == "qemu");
        let existing: BTreeSet<String> = ["a/x", "a/y"].map(str::to_owned).into();
        assert_eq!(written(&whole).guard(&in_qemu, &existing), Guarded::default());
        in_qemu.ran.clear();
        assert_eq!(written(&whole).guard(&in_qemu, &existing).not_run, ["sas-expired"]);
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
