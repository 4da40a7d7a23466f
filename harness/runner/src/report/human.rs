//! For people: one line a trial, failures in full at the end, and under each the command that repeats it.

use std::fmt::Write;

use hilarm_scenario::ScenarioFile;

use crate::judge::Verdict;
use crate::result::RunResult;
use crate::suite::TrialResult;
use crate::variant::Variant;

/// How to render.
#[derive(Clone, Copy, Debug)]
pub struct Human {
    /// ANSI colours.
    pub colour: bool,
}

impl Human {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn verdict(self, verdict: Verdict) -> String {
        let (code, text) = match verdict {
            Verdict::Pass => ("32", "PASS"),
            Verdict::Fail => ("31;1", "FAIL"),
            Verdict::Unproven => ("33;1", "UNPROVEN"),
            Verdict::Flaky => ("33;1", "FLAKY"),
            Verdict::Infra => ("35;1", "INFRA"),
            Verdict::SpecError => ("31;1", "SPEC"),
            Verdict::Skipped => ("36", "SKIP"),
        };
        self.paint(code, &format!("{text:>8}"))
    }
}

/// A control that the board cannot tell anything by.
fn is_skipped_control(run: &RunResult) -> bool {
    run.verdict == Verdict::Skipped && run.variant != Variant::Main
}

/// The worst of a trial's runs, the first of equals. Controls that were skipped say nothing of the others.
fn worst(trial: &TrialResult) -> Option<&RunResult> {
    trial.runs.iter().rev().filter(|run| !is_skipped_control(run)).max_by_key(|run| run.verdict)
}

/// In the order in which they came first.
fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

/// One line: verdict, scenario, board, what fired, which controls ran, time.
pub fn trial_line(style: Human, trial: &TrialResult) -> String {
    let (Some(main), Some(worst)) = (trial.runs.first(), worst(trial)) else { return String::new() };
    let mut told = Vec::new();
    let alerts = each_once(main.alerts.iter().map(|alert| alert.alert.as_str()));
    told.push(match (main.verdict, main.findings.first()) {
        // No alert of a run that did not happen means nothing.
        (Verdict::Infra | Verdict::SpecError | Verdict::Skipped, Some(why)) => one_line(&why.message),
        _ if alerts.is_empty() => "no alerts".to_owned(),
        _ => alerts.join(", "),
    });
    if trial.runs.iter().any(|run| run.variant == Variant::Benign) {
        told.push("benign twin".to_owned());
    }
    let (skipped, ran): (Vec<_>, Vec<_>) = trial.runs.iter().partition(|run| is_skipped_control(run));
    match ran.iter().filter(|run| matches!(run.variant, Variant::Boundary { .. })).count() {
        0 => {}
        1 => told.push("1 boundary".to_owned()),
        n => told.push(format!("{n} boundaries")),
    }
    // A run that passed has nothing to tell but what the board could not do.
    let left_out = if main.verdict == Verdict::Pass { main.findings.len() } else { 0 };
    for (count, one, more) in [(left_out, "step", "steps"), (skipped.len(), "boundary", "boundaries")] {
        match count {
            0 => {}
            1 => told.push(format!("1 {one} skipped")),
            n => told.push(format!("{n} {more} skipped")),
        }
    }
    if worst.verdict != Verdict::Pass && worst.variant != Variant::Main {
        told.push(format!("in {}", worst.variant));
    }
    let wall: f64 = trial.runs.iter().map(|run| run.wall.as_secs_f64()).sum();
    format!(
        "{} {:<34} {:<18} {:>7.3}s  {}",
        style.verdict(worst.verdict),
        main.scenario,
        main.board,
        wall,
        style.paint("2", &told.join(" + "))
    )
}

fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(CHARS_MAX).chain(['\u{2026}']).collect()
}

/// Everything about a trial that did not pass: findings with their place in the file, the device's last
/// log lines, where the journal is, and the command that repeats it.
pub fn failure_text(style: Human, trial: &TrialResult, file: Option<&ScenarioFile>) -> String {
    let mut text = String::new();
    let options = trial.options.as_str();
    // One that was not begun has its reason on its line.
    let told = |run: &&RunResult| !matches!(run.verdict, Verdict::Pass | Verdict::Skipped);
    for run in trial.runs.iter().filter(told) {
        // Writing into a string has no way to fail.
        let _ = write_failure(&mut text, style, run, file, options);
    }
    text
}

fn write_failure(
    text: &mut String,
    style: Human,
    run: &RunResult,
    file: Option<&ScenarioFile>,
    options: &str,
) -> std::fmt::Result {
    let verdict = style.verdict(run.verdict);
    writeln!(text, "{} {} on {} ({})", verdict.trim_start(), run.scenario, run.board, run.variant)?;
    for finding in &run.findings {
        writeln!(text, "  {}", finding.message.trim_end().replace('\n', "\n  "))?;
        let located = finding.path.as_ref().zip(file).and_then(|(path, file)| {
            let position = file.spans.locate(path)?;
            Some((file, position))
        });
        if let Some((file, position)) = located {
            let line = file.source.lines().nth(position.line - 1).unwrap_or_default();
            writeln!(text, "    --> {}:{}:{}", file.path.display(), position.line, position.column)?;
            writeln!(text, "    {:>4} | {line}", position.line)?;
        } else if let Some(path) = &finding.path {
            writeln!(text, "    at {path}")?;
        }
    }
    if !run.last_logs.is_empty() {
        writeln!(text, "  last words of the devices:")?;
        for line in &run.last_logs {
            writeln!(text, "    {line}")?;
        }
    }
    if let Some(folder) = &run.folder {
        writeln!(text, "  journal and capture: {}", folder.display())?;
    }
    let path = file
        .map_or_else(|| format!("scenarios/{}.yaml", run.scenario), |file| file.path.display().to_string());
    writeln!(text, "  repeat it: hilarm run {path} --board {} --seed {}{options}", run.board, run.seed)
}

#[cfg(test)]
mod tests {
    use super::each_once;

    #[test]
    fn what_fires_again_later_is_told_once_where_it_came_first() {
        let fired = ["certificate-added", "certificate-deleted", "certificate-added"];
        assert_eq!(each_once(fired.into_iter()), ["certificate-added", "certificate-deleted"]);
    }
}
