//! JSON lines: one object a run, then one summary.

use serde::Serialize;

use crate::judge::Finding;
use crate::report::Summary;
use crate::result::{FiredAlert, RunResult};

#[derive(Serialize)]
struct ResultLine<'a> {
    kind: &'static str,
    scenario: &'a str,
    variant: String,
    board: &'a str,
    seed: u64,
    verdict: &'static str,
    wall_ms: f64,
    hub_ms: u64,
    alerts: &'a [FiredAlert],
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct SummaryLine {
    kind: &'static str,
    pass: usize,
    fail: usize,
    unproven: usize,
    flaky: usize,
    infra: usize,
    spec_error: usize,
    skipped: usize,
}

/// A run as one line, without the line's end.
pub fn result_line(run: &RunResult) -> serde_json::Result<String> {
    serde_json::to_string(&ResultLine {
        kind: "result",
        scenario: &run.scenario,
        variant: run.variant.to_string(),
        board: &run.board,
        seed: run.seed,
        verdict: run.verdict.as_str(),
        wall_ms: (run.wall.as_secs_f64() * 1e6).round() / 1e3,
        hub_ms: u64::try_from(run.hub.as_millis()).unwrap_or(u64::MAX),
        alerts: &run.alerts,
        findings: &run.findings,
    })
}

/// The summary as one line, without the line's end.
pub fn summary_line(summary: &Summary) -> serde_json::Result<String> {
    let Summary { pass, fail, unproven, flaky, infra, spec_error, skipped } = *summary;
    serde_json::to_string(&SummaryLine {
        kind: "summary",
        pass,
        fail,
        unproven,
        flaky,
        infra,
        spec_error,
        skipped,
    })
}
