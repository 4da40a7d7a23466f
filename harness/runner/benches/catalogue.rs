//! What the whole catalogue costs, every scenario with its controls: `cargo bench -p hilarm-runner --bench catalogue`.
//! In QEMU the mean of a run is given as a ratio to an empty boot-and-exit of the same firmware, measured in between,
//! because everything takes longer where others use the machine. The ratio gates, absolute figures are reported.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use hilarm_board::{Board, Elf};
use hilarm_runner::{Bench, Pool, Suite, TrialResult, Verdict, lacking};
use hilarm_scenario::ScenarioFile;

mod shipped;

use shipped::{board, boot_and_exit, firmware, measures, root, scenario};

/// The mean of a run, in terms of an empty boot-and-exit.
const OF_EMPTY_BOOT_MAX: f64 = 3.0;
/// Scenarios that are named.
const SLOWEST: usize = 5;

fn main() -> ExitCode {
    let all = if measures() { scenarios() } else { vec![scenario("device/sas-expired")] };
    whole("sim", &all, &board("sim"), None);
    match firmware() {
        Ok((board, elf, _folder)) => in_qemu(&all, &board, &elf),
        Err(reason) => {
            println!("QEMU left out: {reason}");
            ExitCode::SUCCESS
        }
    }
}

/// One run at a time, an empty boot-and-exit before each scenario: both see the same machine.
fn in_qemu(all: &[ScenarioFile], board: &Board, elf: &Elf) -> ExitCode {
    whole("QEMU", all, board, Some(elf));
    let pool = Pool::default();
    let (mut runs, mut boots, mut slowest) = (Spent::default(), Spent::default(), Vec::new());
    for file in able(all, board) {
        boots.add(|| {
            boot_and_exit(board, elf);
            1
        });
        let (id, mut spent) = (file.id.clone(), Spent::default());
        let count = spent.add(|| {
            let trials = suite(&[file], board, Some(elf), 1, &pool);
            trials.iter().map(|trial| trial.runs.len()).sum()
        });
        slowest.push((spent.wall / count, id));
        runs = runs.and(spent);
    }
    slowest.sort();
    for (wall, id) in slowest.iter().rev().take(SLOWEST) {
        println!("  {:>7.1} ms a run of {id}", wall.as_secs_f64() * 1e3);
    }
    let cpu = runs.cpu() / boots.cpu();
    println!("QEMU: {} runs, processor time of a run / of an empty boot-and-exit: {cpu:.2}", runs.count);
    let (mean, empty) = (runs.mean(), boots.mean());
    let ratio = mean / empty;
    let met = ratio <= OF_EMPTY_BOOT_MAX;
    println!(
        "QEMU: mean of a run {:.1} ms, of an empty boot-and-exit {:.1} ms: {ratio:.2} (at most {OF_EMPTY_BOOT_MAX}){}",
        mean * 1e3,
        empty * 1e3,
        if met { "" } else { ": MISSED" }
    );
    if met || !measures() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What runs took, of the clock on the wall and of the processor.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    count: u32,
    wall: Duration,
    ticks: u64,
}

impl Spent {
    /// Takes what a number of runs takes, which they tell themselves.
    fn add(&mut self, run: impl FnOnce() -> usize) -> u32 {
        let (began, ticks) = (Instant::now(), processor_ticks());
        let count = u32::try_from(run()).unwrap_or(u32::MAX);
        self.count += count;
        self.wall += began.elapsed();
        self.ticks += processor_ticks().saturating_sub(ticks);
        count
    }

    fn and(self, other: Self) -> Self {
        let (count, wall) = (self.count + other.count, self.wall + other.wall);
        Self { count, wall, ticks: self.ticks + other.ticks }
    }

    /// Seconds of wall time.
    fn mean(self) -> f64 {
        self.wall.as_secs_f64() / f64::from(self.count)
    }

    fn cpu(self) -> f64 {
        self.ticks as f64 / f64::from(self.count)
    }
}

/// Processor time of this process, of the QEMUs that ended, and of those that stay open, from /proc (proc(5): fields 14
/// to 17 of `stat`).
fn processor_ticks() -> u64 {
    let ticks = |process: &str, fields: usize| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let stat = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        stat.take(fields).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = tasks.map(|task| {
        std::fs::read_to_string(task.path().join("children")).expect("a kernel that lists children of a task")
    });
    let open: u64 =
        children.flat_map(|ids| ids.split_whitespace().map(|id| ticks(id, 2)).collect::<Vec<_>>()).sum();
    ticks("self", 4) + open
}

/// Everything at once, on two threads.
fn whole(what: &str, all: &[ScenarioFile], board: &Board, elf: Option<&Elf>) {
    let able: Vec<ScenarioFile> = able(all, board).collect();
    let began = Instant::now();
    let trials = suite(&able, board, elf, 2, &Pool::default());
    let runs: usize = trials.iter().map(|trial| trial.runs.len()).sum();
    let wall = began.elapsed().as_secs_f64();
    println!("{what}: {} scenarios, {runs} runs with controls, two threads: {wall:.2} s", able.len());
}

fn able(all: &[ScenarioFile], board: &Board) -> impl Iterator<Item = ScenarioFile> {
    all.iter().filter(|file| lacking(&file.scenario, board).is_none()).cloned()
}

fn suite(
    files: &[ScenarioFile],
    board: &Board,
    elf: Option<&Elf>,
    jobs: usize,
    pool: &Pool,
) -> Vec<TrialResult> {
    let suite = Suite {
        scenarios: files.to_vec(),
        benches: vec![Bench { board: board.clone(), elf: Ok(elf.cloned()) }],
        seed: None,
        repeat: 1,
        jobs,
        folder: None,
        snapshots: None,
        options: String::new(),
        pool: pool.clone(),
    };
    let trials = suite.run(&AtomicBool::new(false), |_| {});
    for run in trials.iter().flat_map(|trial| &trial.runs) {
        assert_eq!(run.verdict, Verdict::Pass, "{}: {:?}", run.scenario, run.findings);
    }
    trials
}

/// All shipped scenarios, by id.
fn scenarios() -> Vec<ScenarioFile> {
    let mut ids = Vec::new();
    for group in std::fs::read_dir(root().join("scenarios")).expect("the folder of scenarios") {
        let group = group.expect("an entry").path();
        let Ok(files) = std::fs::read_dir(&group) else { continue };
        for file in files {
            let file = file.expect("an entry").path();
            if file.extension().is_some_and(|extension| extension == "yaml") {
                let name =
                    |path: &std::path::Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
                ids.push([name(&group), name(&file)].map(Option::unwrap_or_default).join("/"));
            }
        }
    }
    ids.sort();
    ids.iter().map(|id| scenario(id)).collect()
}
