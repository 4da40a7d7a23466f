//! `hilarm run`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use hilarm_runner::report::{Human, Summary, failure_text, junit, result_line, summary_line, trial_line};
use hilarm_runner::{
    Finding, Pool, RunResult, SecurityGroupFile, Snapshots, Suite, TrialResult, Variant, Verdict,
};
use hilarm_scenario::{ScenarioErrors, ScenarioFile};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::RunArgs;
use crate::commit::Commit;
use crate::project::Project;
use crate::wrong_input::WrongInput;
use crate::{NOTHING_RAN, say};

/// In the place of a board's id, for a file that never came to one.
const NO_BOARD: &str = "-";
/// As shells report a process ended by Ctrl-C.
const INTERRUPTED: u8 = 130;
/// Exit codes that an interruption changes: what did not run might have failed.
const ALL_WELL: [u8; 2] = [0, 4];

/// `given` is the project as named on the command line.
pub(crate) fn run(project: &Project, given: Option<&Path>, args: &RunArgs) -> anyhow::Result<u8> {
    let began = Instant::now();
    let mut output = Output::new(args)?;
    let junit_file = args.junit.as_deref().map(create).transpose()?;
    let pool = Pool::new(project.local_boards()?);
    let groups = read_security_groups(&args.security_groups)?;
    let mut scenarios = Vec::new();
    let mut results = Vec::new();
    for read in project.read_scenarios(&args.paths)? {
        match read.parsed {
            Ok(mut file) => {
                groups.iter().for_each(|group| group.replace_in(&mut file));
                scenarios.push(file);
            }
            Err(errors) => {
                say::err(format_args!("{errors}\n"));
                results.push(wrong_file(read.id, &errors));
            }
        }
    }
    let folder = project.new_run_folder()?;
    if let Some(commit) = Commit::checked_out(project.root()) {
        commit.keep(&folder).with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    let suite = Suite {
        scenarios,
        benches: project.benches(&args.boards, args.elf.as_deref())?,
        seed: args.seed,
        repeat: args.repeat,
        jobs: args.jobs.unwrap_or_else(cores),
        folder: Some(folder.clone()),
        snapshots: Some(Snapshots::new(&project.snapshots_folder(), &project.state_folder())?),
        options: repeat_options(given, args),
        pool,
    };
    let stop = stop_on_ctrl_c()?;
    results.iter().for_each(|trial| output.trial(trial));
    output.begin(suite.trials());
    let ran = suite.run(&stop, |trial| output.trial(trial));
    output.failures(&suite.scenarios, &ran);
    let trials = ran.len();
    results.extend(ran);
    let summary = Summary::of(&results);
    output.end(&summary, &closing_line(trials, &summary, began))?;
    if let Some((mut file, path)) = junit_file {
        let written = file.write_all(junit(&results)?.as_bytes());
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let code = summary.exit_code();
    if stop.load(Ordering::Relaxed) && ALL_WELL.contains(&code) {
        return Ok(INTERRUPTED);
    }
    if code == NOTHING_RAN {
        say::err(format_args!("nothing ran: {}", why_nothing_ran(&suite)));
    }
    Ok(code)
}

fn why_nothing_ran(suite: &Suite) -> &'static str {
    match (suite.scenarios.is_empty(), suite.benches.is_empty()) {
        (true, _) => "there is no scenario file (`*.yaml`) there",
        (_, true) => "no board can be used here; see `hilarm boards list`",
        _ => "every trial was skipped",
    }
}

/// A file that does not parse, as a result: reports must not look as if it were not there.
fn wrong_file(id: String, errors: &ScenarioErrors) -> TrialResult {
    let run = RunResult {
        scenario: id,
        variant: Variant::Main,
        board: NO_BOARD.to_owned(),
        seed: 0,
        verdict: Verdict::SpecError,
        wall: Duration::ZERO,
        hub: Duration::ZERO,
        alerts: Vec::new(),
        findings: vec![Finding { path: None, message: errors.to_string() }],
        last_logs: Vec::new(),
        folder: None,
        fingerprint: Vec::new(),
    };
    TrialResult { number: 0, runs: vec![run], options: String::new() }
}

/// What the command that repeats a failure needs besides scenario, board and seed.
fn repeat_options(given: Option<&Path>, args: &RunArgs) -> String {
    let option = |name: &str, path: Option<&Path>| {
        path.map(|path| format!(" {name} {}", path.display())).unwrap_or_default()
    };
    let groups = args.security_groups.iter().map(|path| option("--security-group", Some(path)));
    option("--elf", args.elf.as_deref()) + &groups.collect::<String>() + &option("--project", given)
}

/// Security groups in files that the command line names.
pub(crate) fn read_security_groups(paths: &[PathBuf]) -> anyhow::Result<Vec<SecurityGroupFile>> {
    let read = |path: &PathBuf| {
        let group = SecurityGroupFile::open(path);
        group.map_err(|error| WrongInput(format!("--security-group: {error}")).into())
    };
    paths.iter().map(read).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Created before anything runs: a report that cannot be written is told of at once.
fn create(path: &Path) -> anyhow::Result<(File, PathBuf)> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok((file, path.to_owned()))
}

/// Ctrl-C once lets what is under way finish and begins nothing more; twice ends at once, and the kernel
/// ends the emulators with us.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        say::err("\nfinishing what is under way; Ctrl-C again ends at once");
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
            Some(path) => Some(Box::new(create(path)?.0)),
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
        self.bar.suspend(|| if self.json_on_stdout { say::err(text) } else { say::out(text) });
    }

    fn trial(&mut self, trial: &TrialResult) {
        self.say(&trial_line(self.style, trial));
        self.bar.inc(1);
        if let Some(json) = &mut self.json {
            for run in &trial.runs {
                let written = result_line(run).map_err(io::Error::other);
                if let Err(error) = written.and_then(|line| writeln!(json, "{line}")) {
                    say::err(format_args!("cannot write JSON: {error}"));
                    self.json = None;
                    return;
                }
            }
        }
    }

    /// Everything about what did not pass, after all result lines.
    fn failures(&mut self, files: &[ScenarioFile], results: &[TrialResult]) {
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
    }

    fn end(&mut self, summary: &Summary, closing: &str) -> anyhow::Result<()> {
        if let Some(json) = &mut self.json {
            writeln!(json, "{}", summary_line(summary)?).context("cannot write JSON")?;
        }
        self.say(closing);
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
    let trials = say::counted(trials, "trial");
    format!("\n{trials}, runs: {} in {:.2}s", counts.join(", "), began.elapsed().as_secs_f64())
}
