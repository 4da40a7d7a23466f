//! `hilarm run`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use hilarm_runner::report::{Human, Summary, failure_text, junit, result_line, summary_line, trial_line};
use hilarm_runner::{Snapshots, Suite, TrialResult, Verdict};
use hilarm_scenario::ScenarioFile;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::RunArgs;
use crate::project::Project;

/// As shells report a process ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

pub(crate) fn run(project: &Project, args: &RunArgs) -> anyhow::Result<u8> {
    let began = Instant::now();
    let mut output = Output::new(args)?;
    let mut summary = Summary::default();
    let mut scenarios = Vec::new();
    for read in project.read_scenarios(&args.paths)? {
        match read.parsed {
            Ok(file) => scenarios.push(file),
            Err(errors) => {
                eprintln!("{errors}");
                summary.count(Verdict::SpecError);
            }
        }
    }
    let folder = project.new_run_folder()?;
    let suite = Suite {
        scenarios,
        benches: project.benches(&args.boards, args.elf.as_deref())?,
        seed: args.seed,
        repeat: args.repeat,
        jobs: args.jobs.unwrap_or_else(cores),
        folder: Some(folder.clone()),
        snapshots: Some(Snapshots::new(&project.snapshots_folder(), &project.state_folder())?),
    };
    let stop = stop_on_ctrl_c()?;
    output.begin(suite.trials());
    let results = suite.run(&stop, |trial| output.trial(trial));
    results.iter().flat_map(|trial| &trial.runs).for_each(|run| summary.count(run.verdict));
    output.end(&suite.scenarios, &results, &summary, began)?;
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&results)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(summary.exit_code())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Ctrl-C once lets what is under way finish and begins nothing more; twice ends at once, and the kernel
/// ends the emulators with us.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        eprintln!("\nfinishing what is under way; Ctrl-C again ends at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

/// Where results go while they come.
struct Output {
    style: Human,
    json: Option<Box<dyn Write>>,
    /// Standard output belongs to JSON: people read standard error.
    json_on_stdout: bool,
    bar: ProgressBar,
}

impl Output {
    fn new(args: &RunArgs) -> anyhow::Result<Self> {
        let json_on_stdout = args.json.as_deref() == Some(Path::new("-"));
        let json: Option<Box<dyn Write>> = match &args.json {
            None => None,
            Some(_) if json_on_stdout => Some(Box::new(io::stdout())),
            Some(path) => {
                let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
                Some(Box::new(file))
            }
        };
        let terminal = io::stdout().is_terminal() && !json_on_stdout;
        let style = Human { colour: terminal && std::env::var_os("NO_COLOR").is_none() };
        Ok(Self { style, json, json_on_stdout, bar: ProgressBar::hidden() })
    }

    fn begin(&mut self, trials: usize) {
        if io::stderr().is_terminal() && io::stdout().is_terminal() {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}");
            self.bar = ProgressBar::new(trials as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| if self.json_on_stdout { eprintln!("{text}") } else { println!("{text}") });
    }

    fn trial(&mut self, trial: &TrialResult) {
        self.say(&trial_line(self.style, trial));
        self.bar.inc(1);
        if let Some(json) = &mut self.json {
            for run in &trial.runs {
                let written = result_line(run).map_err(io::Error::other);
                if let Err(error) = written.and_then(|line| writeln!(json, "{line}")) {
                    eprintln!("cannot write JSON: {error}");
                    self.json = None;
                    return;
                }
            }
        }
    }

    fn end(
        &mut self,
        files: &[ScenarioFile],
        results: &[TrialResult],
        summary: &Summary,
        began: Instant,
    ) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        let files: BTreeMap<&str, &ScenarioFile> =
            files.iter().map(|file| (file.id.as_str(), file)).collect();
        for trial in results {
            let file = trial.runs.first().and_then(|run| files.get(run.scenario.as_str()).copied());
            let text = failure_text(self.style, trial, file);
            if !text.is_empty() {
                self.say(&format!("\n{}", text.trim_end()));
            }
        }
        if let Some(json) = &mut self.json {
            writeln!(json, "{}", summary_line(summary)?)?;
        }
        self.say(&closing_line(results.len(), summary, began));
        Ok(())
    }
}

fn closing_line(trials: usize, summary: &Summary, began: Instant) -> String {
    let Summary { pass, fail, unproven, flaky, infra, spec_error, skipped } = *summary;
    let counts = [
        (pass, "pass"),
        (fail, "fail"),
        (unproven, "unproven"),
        (flaky, "flaky"),
        (infra, "infra"),
        (spec_error, "spec error"),
        (skipped, "skipped"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, name)| *count > 0 || *name == "pass")
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    format!("\n{trials} trials, runs: {} in {:.2}s", counts.join(", "), began.elapsed().as_secs_f64())
}
