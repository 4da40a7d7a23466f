//! Which rows of the catalogue one run's journals show firing, silent without the attack, and exact at their
//! threshold.
//!
//! Counted from what the defender makes of the recorded hub lines, never from what scenarios claim. A run that
//! did not come to its end counts for nothing: its silence might be its failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use hilarm_defender::{
    Boundary, Class, Defender, Detection, RecommendationState, Seed, catalogue, recommendation_catalogue,
};
use hilarm_scenario::BoardsSpec;
use serde::Serialize;

use crate::journal::{Entry, HarnessRecord, Header, JournalError, Recorded, read_journal};
use crate::replay::fold;

/// A scenario on a board; where a row fired, for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FiredBy {
    /// Id of the scenario.
    pub scenario: String,
    /// Id of the board.
    pub board: String,
}

/// What journals show of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// It fired in a main run.
    pub fired: bool,
    /// It stayed silent in a benign twin that gave it something to look at.
    pub silent: bool,
    /// Both sides of its threshold did what they must.
    pub exact: bool,
}

impl Shown {
    /// What either shows.
    fn and(self, other: Self) -> Self {
        Self {
            fired: self.fired || other.fired,
            silent: self.silent || other.silent,
            exact: self.exact || other.exact,
        }
    }
}

/// One row of the catalogue.
#[derive(Clone, Debug, Serialize)]
pub struct CoverageRow {
    /// Our stable id.
    pub slug: &'static str,
    /// `built-in`, `custom` or `recommendation`.
    pub kind: &'static str,
    /// Main runs in which it fired, sorted.
    pub fired_by: Vec<FiredBy>,
    /// Whether it stayed silent in a benign twin that gave it something to look at.
    pub benign_twin: bool,
    /// Whether both sides of its threshold did what they must; nothing for a row without threshold.
    pub boundary: Option<bool>,
    /// The same by scenario and board.
    #[serde(skip)]
    pub places: BTreeMap<FiredBy, Shown>,
    /// What cannot be had, and why.
    #[serde(skip)]
    pub notes: BTreeSet<String>,
    /// Whether a seed document names it.
    #[serde(skip)]
    pub seeded: bool,
}

/// What the journals of one run show of the catalogue.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// One for each entry, in the order of the catalogue.
    pub rows: Vec<CoverageRow>,
    /// Boards with a journal, sorted.
    pub boards: BTreeSet<String>,
    /// Scenarios with a journal, on which board, whether or not they came to their end.
    pub ran: BTreeSet<FiredBy>,
    /// Scenarios that are not for every board: the boards that they are for, and why.
    pub limited: BTreeMap<String, BoardsSpec>,
}

/// Why coverage cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// A folder or file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A journal cannot be read back.
    #[error("{path}")]
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        source: JournalError,
    },
    /// No journal at all.
    #[error("{0} holds no journal (SCENARIO/BOARD/VARIANT/journal.jsonl)")]
    Empty(PathBuf),
}

impl CoverageRow {
    /// What the board's journals show, all scenarios together.
    pub fn on(&self, board: &str) -> Shown {
        let of_board = self.places.iter().filter(|(place, _)| place.board == board);
        of_board.fold(Shown::default(), |shown, (_, more)| shown.and(*more))
    }
}

impl Coverage {
    /// Counts the journals of the run that left its traces in `folder`.
    pub fn of(folder: &Path) -> Result<Self, CoverageError> {
        let mut tally = Tally::default();
        let (mut boards, mut ran, mut limited) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for path in journals(folder)? {
            let file =
                File::open(&path).map_err(|source| CoverageError::Io { path: path.clone(), source })?;
            let recorded = match read_journal(BufReader::new(file)) {
                Ok(recorded) => recorded,
                // Killed before the first line was out.
                Err(JournalError::Empty) => continue,
                Err(source) => return Err(CoverageError::Journal { path, source }),
            };
            let (scenario, board) = (recorded.header.scenario_id.clone(), recorded.header.board.clone());
            boards.insert(board.clone());
            if let Some(only) = &recorded.header.scenario.boards {
                limited.insert(scenario.clone(), only.clone());
            }
            ran.insert(FiredBy { scenario, board });
            if came_to_its_end(&recorded) {
                tally.add(&recorded);
            }
        }
        if boards.is_empty() {
            return Err(CoverageError::Empty(folder.to_owned()));
        }
        Ok(Self { rows: entries().map(|detection| tally.row(detection)).collect(), boards, ran, limited })
    }

    /// How many rows fired.
    pub fn fired(&self) -> usize {
        self.rows.iter().filter(|row| !row.fired_by.is_empty()).count()
    }
}

fn entries() -> impl Iterator<Item = &'static Detection> {
    catalogue().iter().chain(recommendation_catalogue()).copied()
}

fn journals(folder: &Path) -> Result<Vec<PathBuf>, CoverageError> {
    let mut folders = vec![folder.to_owned()];
    for _ in ["scenario", "board", "variant"] {
        let mut below = Vec::new();
        for path in &folders {
            let wrong = |source| CoverageError::Io { path: path.clone(), source };
            for entry in std::fs::read_dir(path).map_err(wrong)? {
                below.push(entry.map_err(wrong)?.path());
            }
        }
        below.retain(|path| path.is_dir());
        folders = below;
    }
    let mut journals: Vec<_> = folders.iter().map(|folder| folder.join("journal.jsonl")).collect();
    journals.retain(|path| path.is_file());
    journals.sort();
    Ok(journals)
}

fn came_to_its_end(recorded: &Recorded) -> bool {
    let mut ended = false;
    for line in &recorded.lines {
        match &line.entry {
            Entry::Harness(HarnessRecord::RunEnded { .. }) => ended = true,
            Entry::Harness(
                HarnessRecord::DeviceFailed { .. }
                | HarnessRecord::StepFailed { .. }
                | HarnessRecord::RunFailed { .. },
            ) => return false,
            _ => {}
        }
    }
    ended && !recorded.truncated
}

/// The two sides of a threshold in one scenario on one board.
#[derive(Default)]
struct Sides {
    fired: bool,
    silent: bool,
    contrary: bool,
}

/// What is counted, by slug.
#[derive(Default)]
struct Tally {
    fired: BTreeMap<&'static str, BTreeSet<FiredBy>>,
    silent: BTreeMap<&'static str, BTreeSet<FiredBy>>,
    sides: BTreeMap<(&'static str, FiredBy), Sides>,
    notes: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Tally {
    fn add(&mut self, recorded: &Recorded) {
        let header = &recorded.header;
        let place = || FiredBy { scenario: header.scenario_id.clone(), board: header.board.clone() };
        let defender = fold(recorded);
        let detects = |detection: &Detection| header.scenario.detects.iter().any(|at| at == detection.slug);
        if header.variant == "main" {
            for detection in entries().filter(|detection| ever_fired(&defender, detection)) {
                self.fired.entry(detection.slug).or_default().insert(place());
            }
            for detection in entries().filter(|detection| detects(detection)) {
                self.note_left_out(header, detection);
            }
        }
        for detection in entries().filter(|detection| detects(detection)) {
            let fires = fires_at_the_end(&defender, detection);
            if header.variant == "benign" && !fires && looked(&defender, detection) {
                self.silent.entry(detection.slug).or_default().insert(place());
            }
            let label = header.variant.strip_prefix("boundary:");
            if let Some(must) = label.and_then(|label| must_fire(&detection.boundary, label)) {
                let sides = self.sides.entry((detection.slug, place())).or_default();
                sides.fired |= must && fires;
                sides.silent |= !must && !fires;
                sides.contrary |= must != fires;
            }
        }
    }

    fn note_left_out(&mut self, header: &Header, detection: &Detection) {
        let controls = &header.scenario.controls;
        let notes = self.notes.entry(detection.slug).or_default();
        notes.extend(controls.skip_benign_twin.as_ref().map(|why| format!("benign twin n/a: {why}")));
        if !matches!(detection.boundary, Boundary::None(_)) {
            notes.extend(controls.skip_boundary.as_ref().map(|why| format!("boundary n/a: {why}")));
        }
    }

    fn row(&mut self, detection: &Detection) -> CoverageRow {
        let slug = detection.slug;
        let fired_by: Vec<FiredBy> = self.fired.remove(slug).unwrap_or_default().into_iter().collect();
        let mut places: BTreeMap<FiredBy, Shown> = BTreeMap::new();
        for place in &fired_by {
            places.entry(place.clone()).or_default().fired = true;
        }
        for place in self.silent.remove(slug).unwrap_or_default() {
            places.entry(place).or_default().silent = true;
        }
        let exact = |sides: &Sides| sides.fired && sides.silent && !sides.contrary;
        for ((_, place), _) in self.sides.iter().filter(|((of, _), sides)| *of == slug && exact(sides)) {
            places.entry(place.clone()).or_default().exact = true;
        }
        let mut notes = self.notes.remove(slug).unwrap_or_default();
        let seeded = detection.names.iter().any(|name| name.seed != Seed::Beyond);
        if let Boundary::None(why) = detection.boundary {
            notes.insert(format!("boundary n/a: {why}"));
        }
        if fired_by.is_empty() && slug.ends_with("-amqp") {
            notes = BTreeSet::from(["n/a: comes with the SDK issue".to_owned()]);
        } else if fired_by.is_empty() && !seeded {
            notes = BTreeSet::from(["n/a: beyond the seeds".to_owned()]);
        }
        let threshold = !matches!(detection.boundary, Boundary::None(_));
        CoverageRow {
            slug,
            kind: kind(detection.class),
            fired_by,
            benign_twin: places.values().any(|shown| shown.silent),
            boundary: threshold.then(|| places.values().any(|shown| shown.exact)),
            places,
            notes,
            seeded,
        }
    }
}

fn kind(class: Class) -> &'static str {
    match class {
        Class::BuiltIn => "built-in",
        Class::Custom => "custom",
        Class::Recommendation => "recommendation",
    }
}

fn ever_fired(defender: &Defender, detection: &Detection) -> bool {
    defender.alerts().iter().any(|alert| alert.slug == detection.slug)
        || defender.recommendations().iter().any(|raised| raised.slug == detection.slug)
}

/// An alert stays; a recommendation may have been resolved.
fn fires_at_the_end(defender: &Defender, detection: &Detection) -> bool {
    let stands = |state| state == RecommendationState::Active;
    let mut raised = defender.recommendations().iter();
    defender.alerts().iter().any(|alert| alert.slug == detection.slug)
        || raised.any(|raised| raised.slug == detection.slug && stands(raised.state))
}

/// Silence proves something: a posture is judged whether or not anything happens.
fn looked(defender: &Defender, detection: &Detection) -> bool {
    detection.class == Class::Recommendation || defender.considered(detection.slug) > 0
}

/// Whether a boundary run with this label must fire; nothing when it moves another kind of threshold.
fn must_fire(boundary: &Boundary, label: &str) -> Option<bool> {
    let (fires, silent): (&[&str], &[&str]) = match boundary {
        Boundary::None(_) => return None,
        Boundary::TokenExpiry => (&["token-expiry:at"], &["token-expiry:1s-before"]),
        Boundary::CertificateExpiry => (&["certificate-expiry:1s-after"], &["certificate-expiry:at"]),
        Boundary::ThreatPrefix => {
            (&["threat-prefix:exact"], &["threat-prefix:address-below", "threat-prefix:address-above"])
        }
        Boundary::RangeEnds => (
            &["range:max-one-less", "range:min-one-more", "window:same"],
            &["range:max-equal", "range:min-equal", "window:next"],
        ),
        Boundary::AllowListEntry => (&["allow-list:neighbours"], &["allow-list:exact"]),
        Boundary::SharedCredentialCount => (&["shared-credential:2"], &["shared-credential:1"]),
        Boundary::PrefixLength => (&["prefix-length:15"], &["prefix-length:16"]),
    };
    if fires.contains(&label) { Some(true) } else { silent.contains(&label).then_some(false) }
}
