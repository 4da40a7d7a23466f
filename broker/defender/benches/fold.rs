//! How fast the fold is, with every range rule on: events a second over 10 to 100,000 devices, and as a ratio to
//! parsing the same journal lines from JSON, which any replay must do first. The ratios gate, absolute figures
//! are reported.
//!
//! As in a replay the whole journal is parsed, then folded, and that gates. Reported is also what comes of it where
//! parsing and folding take turns, a batch of lines at a time: then the caches are the parser's in between. What an
//! event costs more with many devices is cache misses, and their price is the machine's and its other users'. A
//! peer that takes the fold's turns, and only touches one line of memory a device in the same order, tells it.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use hilarm_defender::Defender;
use hilarm_model::{HubRecord, Monotonic, RangeRuleType, Timestamp};
use serde::{Deserialize, Serialize};

mod journal;

use journal::provisioned;

const EVENTS: usize = 200_000;
/// Lines that are parsed, then folded.
const BATCH: usize = 256;
/// The fold's time as a part of the parser's.
const OF_PARSING_MAX: f64 = 0.25;
/// The time an event with 10,000 devices, in terms of that with 10. No step of the fold depends on the number
/// of devices; what remains of a slope is caches, into which the state of 10 fits and that of 10,000 does not.
const SLOPE_MAX: f64 = 2.0;

fn main() -> ExitCode {
    // `cargo test --benches` passes no --bench: then one round shows that it runs.
    let benching = std::env::args().any(|argument| argument == "--bench");
    let met = figures(if benching { 9 } else { 1 });
    divan::main();
    if benching && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn figures(rounds: usize) -> bool {
    let (few, many) = (fastest(10, rounds, replay), fastest(10_000, rounds, replay));
    let rate = |took: Duration| EVENTS as f64 / took.as_secs_f64() / 1e6;
    println!("{} range rules on, 10,000 devices:", RangeRuleType::ALL.len());
    println!("fold {:.2} M events/s, JSON {:.2} M lines/s", rate(many.folding), rate(many.parsing));
    let met = gate("fold / JSON parsing, of its time", many.of_parsing(), OF_PARSING_MAX)
        & gate("an event of 10,000 devices / of 10", many.folding.div_duration_f64(few.folding), SLOPE_MAX);
    in_turns(rounds);
    met
}

/// The same with parsing and folding in turns, and the peer.
fn in_turns(rounds: usize) {
    let (few, many) = (fastest(10, rounds, turns), fastest(10_000, rounds, turns));
    let touch = |devices| fastest(devices, rounds, touches).folding;
    let nanos = |took: Duration| took.as_secs_f64() * 1e9 / EVENTS as f64;
    let more = nanos(many.folding) - nanos(few.folding);
    println!(
        "in turns: fold / JSON parsing {:.3}; an event {:.0} ns",
        many.of_parsing(),
        nanos(many.folding)
    );
    println!("    {more:.0} ns of it for 10,000 devices; a line of memory {:.0} ns", nanos(touch(10_000)));
}

fn gate(what: &str, ratio: f64, max: f64) -> bool {
    let met = ratio <= max;
    println!("{what}: {ratio:.3} (at most {max}){}", if met { "" } else { ": MISSED" });
    met
}

/// Time that a journal took.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    parsing: Duration,
    folding: Duration,
}

impl Taken {
    fn least(self, other: Self) -> Self {
        Self { parsing: self.parsing.min(other.parsing), folding: self.folding.min(other.folding) }
    }

    fn and(self, other: Self) -> Self {
        Self { parsing: self.parsing + other.parsing, folding: self.folding + other.folding }
    }

    fn of_parsing(self) -> f64 {
        self.folding.div_duration_f64(self.parsing)
    }
}

/// The sum over all batches of the fastest round of each: others on the machine only ever add.
fn fastest(devices: usize, rounds: usize, run: fn(usize, &[String]) -> Vec<Taken>) -> Taken {
    let lines = lines(devices);
    let mut least = run(devices, &lines);
    for _ in 1..rounds {
        let again = run(devices, &lines);
        least.iter_mut().zip(again).for_each(|(least, again)| *least = least.least(again));
    }
    least.into_iter().fold(Taken::default(), Taken::and)
}

/// Parses the whole journal, then folds it.
fn replay(devices: usize, lines: &[String]) -> Vec<Taken> {
    let mut records = Vec::with_capacity(lines.len());
    let mut parse = |lines: &[String]| timed(|| records.extend(lines.iter().map(|line| parse(line))));
    let parsing: Vec<Duration> = lines.chunks(BATCH).map(&mut parse).collect();
    let mut defender = provisioned(devices);
    let folding = records.chunks(BATCH).map(|batch| folded(&mut defender, batch));
    let taken = parsing.into_iter().zip(folding).map(|(parsing, folding)| Taken { parsing, folding });
    let taken = taken.collect();
    assert_silent(&defender);
    taken
}

/// Parses and folds in turns.
fn turns(devices: usize, lines: &[String]) -> Vec<Taken> {
    let mut defender = provisioned(devices);
    let taken = alternated(lines, |records| folded(&mut defender, records));
    assert_silent(&defender);
    taken
}

/// Parses, and lets the peer touch its lines, in turns.
fn touches(devices: usize, lines: &[String]) -> Vec<Taken> {
    let mut peer = Peer::of(devices);
    alternated(lines, |records| timed(|| records.iter().for_each(|record| peer.touch(record))))
}

fn alternated(lines: &[String], mut fold: impl FnMut(&[HubRecord]) -> Duration) -> Vec<Taken> {
    let mut records = Vec::with_capacity(BATCH);
    let batch = |lines: &[String]| {
        // To free the records of the batch before is part of neither.
        records.clear();
        let parsing = timed(|| records.extend(lines.iter().map(|line| parse(line))));
        Taken { parsing, folding: fold(&records) }
    };
    lines.chunks(BATCH).map(batch).collect()
}

fn folded(defender: &mut Defender, records: &[HubRecord]) -> Duration {
    timed(|| records.iter().for_each(|record| defender.handle(record)))
}

fn assert_silent(defender: &Defender) {
    assert!(defender.alerts().is_empty() && defender.considered("d2c-mqtt") > 0);
}

/// The least that a fold by device can do: one line of memory a device, which is found by the one before.
struct Peer {
    lines: Vec<OfDevice>,
    at: usize,
}

#[repr(align(64))]
struct OfDevice {
    next: usize,
    latest: Timestamp,
}

impl Peer {
    fn of(devices: usize) -> Self {
        let line =
            |number| OfDevice { next: (number + journal::STRIDE) % devices, latest: Timestamp::default() };
        Self { lines: (0..devices).map(line).collect(), at: 0 }
    }

    fn touch(&mut self, record: &HubRecord) {
        let line = &mut self.lines[self.at];
        line.latest = record.at;
        self.at = black_box(line.next);
    }
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000], sample_count = 10)]
fn fold(bencher: Bencher<'_, '_>, devices: usize) {
    let journal: Vec<HubRecord> = journal::journal(devices, 0..EVENTS).collect();
    bencher.counter(ItemsCount::new(EVENTS)).with_inputs(|| provisioned(devices)).bench_local_values(
        |mut defender| {
            journal.iter().for_each(|record| defender.handle(record));
            defender
        },
    );
}

#[divan::bench(sample_count = 10)]
fn parse_json(bencher: Bencher<'_, '_>) {
    let lines = lines(10_000);
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench_local(|| lines.iter().for_each(|line| drop(black_box(parse(line)))));
}

/// A line of a journal, as the runner writes it.
#[derive(Serialize, Deserialize)]
struct Line {
    mono: Monotonic,
    entry: Entry,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Hub(HubRecord),
}

fn lines(devices: usize) -> Vec<String> {
    let write = |record: HubRecord| {
        let mono = Monotonic::default() + record.at.since(journal::T0);
        serde_json::to_string(&Line { mono, entry: Entry::Hub(record) }).expect("records serialise")
    };
    journal::journal(devices, 0..EVENTS).map(write).collect()
}

fn parse(line: &str) -> HubRecord {
    let line: Line = serde_json::from_str(line).expect("what was written can be read");
    let Entry::Hub(record) = line.entry;
    record
}

#[expect(clippy::disallowed_methods, reason = "a bench measures wall time")]
fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}
