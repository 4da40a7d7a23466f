//! How fast the fold is, with every range rule on: events a second over 10 to 100,000 devices, and as a ratio to
//! parsing the same journal lines from JSON, which any replay must do first. The ratios gate, absolute figures
//! are reported.
//!
//! Parsing and folding take turns, a batch of lines at a time, as in a replay: both see the same machine, also
//! when others use it, and the fold sees its records as warm as they come from the parser.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use hilarm_model::{HubRecord, Monotonic, RangeRuleType};
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
    let (few, many) = (replayed(10, rounds), replayed(10_000, rounds));
    let rate = |took: Duration| EVENTS as f64 / took.as_secs_f64() / 1e6;
    println!("{} range rules on, 10,000 devices:", RangeRuleType::ALL.len());
    println!("fold {:.2} M events/s, JSON {:.2} M lines/s", rate(many.folding), rate(many.parsing));
    let of_parsing = many.folding.as_secs_f64() / many.parsing.as_secs_f64();
    let slope = many.folding.as_secs_f64() / few.folding.as_secs_f64();
    gate("fold / JSON parsing, of its time", of_parsing, OF_PARSING_MAX)
        & gate("an event of 10,000 devices / of 10", slope, SLOPE_MAX)
}

fn gate(what: &str, ratio: f64, max: f64) -> bool {
    let met = ratio <= max;
    println!("{what}: {ratio:.3} (at most {max}){}", if met { "" } else { ": MISSED" });
    met
}

/// Time that a journal took.
#[derive(Clone, Copy, Debug, Default)]
struct Replayed {
    parsing: Duration,
    folding: Duration,
}

impl Replayed {
    fn least(self, other: Self) -> Self {
        Self { parsing: self.parsing.min(other.parsing), folding: self.folding.min(other.folding) }
    }

    fn and(self, other: Self) -> Self {
        Self { parsing: self.parsing + other.parsing, folding: self.folding + other.folding }
    }
}

/// The sum over all batches of the fastest round of each: others on the machine only ever add.
fn replayed(devices: usize, rounds: usize) -> Replayed {
    let lines = lines(devices);
    let mut least = replay(devices, &lines);
    for _ in 1..rounds {
        let again = replay(devices, &lines);
        least.iter_mut().zip(again).for_each(|(least, again)| *least = least.least(again));
    }
    least.into_iter().fold(Replayed::default(), Replayed::and)
}

fn replay(devices: usize, lines: &[String]) -> Vec<Replayed> {
    let mut defender = provisioned(devices);
    let mut records = Vec::with_capacity(BATCH);
    let batches = lines.chunks(BATCH).map(|lines| {
        // To free the records of the batch before is part of neither.
        records.clear();
        let parsing = timed(|| records.extend(lines.iter().map(|line| parse(line))));
        let folding = timed(|| records.iter().for_each(|record| defender.handle(record)));
        Replayed { parsing, folding }
    });
    let batches = batches.collect();
    assert!(defender.alerts().is_empty() && defender.considered("d2c-mqtt") > 0);
    batches
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
