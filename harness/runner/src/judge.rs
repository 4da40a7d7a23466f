//! Judging a run, after it: proof, then the closed world of expectations. Nothing here runs anything.

use std::collections::BTreeMap;

use hilarm_defender::{Alert, Entity, Side};
use hilarm_scenario::{Expect, Proof};
use serde::Serialize;

use crate::journal::{Entry, HarnessRecord, Journal};
use crate::matching::matches;
use crate::script::describe;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The attack landed, the alerts are the expected ones, and the controls agree.
    Pass,
    /// The alerts, a step, a control or the snapshot are not as expected.
    Fail,
    /// The alerts may be right, but the attack was not seen to land.
    Unproven,
    /// Repeated runs differ.
    Flaky,
    /// The harness, the emulator or the firmware failed; nothing is said about the detection.
    Infra,
    /// The scenario file is wrong.
    SpecError,
    /// Not run, with a reason.
    Skipped,
}

impl Verdict {
    /// As reports print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unproven => "unproven",
            Self::Flaky => "flaky",
            Self::Infra => "infra",
            Self::SpecError => "spec_error",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Place in the scenario file that it is about, e.g. `expect.alerts[0]`.
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { path: None, message: message.into() }
    }

    pub(crate) fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: Some(path.into()), message: message.into() }
    }
}

/// Items of `proof` that the journal does not hold often enough.
pub(crate) fn unmet_proofs(proofs: &[Proof], journal: &Journal) -> Vec<Finding> {
    let mut unmet = Vec::new();
    for (at, proof) in proofs.iter().enumerate() {
        let seen = journal.lines().iter().filter(|line| matches(&proof.event, line)).count() as u64;
        if seen < proof.count {
            let message = format!("seen {seen} of {} times: {}", proof.count, describe(&proof.event));
            unmet.push(Finding::at(format!("proof[{at}]"), message));
        }
    }
    unmet
}

/// Who an alert is about, as expectations and snapshots name it.
pub(crate) fn subject_of(alert: &Alert) -> String {
    match &alert.entity {
        Entity::Device(device) => format!("device {device}"),
        Entity::Hub => "hub".to_owned(),
    }
}

/// Compares what fired with what was expected, in a closed world.
pub(crate) fn compare_alerts(expect: &Expect, alerts: &[Alert]) -> Vec<Finding> {
    let mut fired: BTreeMap<(String, String), u64> = BTreeMap::new();
    for alert in alerts {
        *fired.entry((alert.slug.to_owned(), subject_of(alert))).or_default() += 1;
    }
    let mut findings = Vec::new();
    for (at, expected) in expect.alerts.iter().enumerate() {
        let subject = expected.device.as_ref().map_or("hub".to_owned(), |device| format!("device {device}"));
        let count = fired.remove(&(expected.alert.clone(), subject.clone())).unwrap_or_default();
        if count != expected.count {
            let message = format!(
                "{} for {subject}: expected {}, fired {count}",
                expected.alert,
                times(expected.count)
            );
            findings.push(Finding::at(format!("expect.alerts[{at}]"), message));
        }
    }
    for ((slug, subject), count) in fired {
        let message = format!("{slug} for {subject} fired {} and is not expected", times(count));
        findings.push(Finding::at("expect.alerts", message));
    }
    findings
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

/// Devices whose bytes do not add up between network and hub.
pub(crate) fn unaccounted_bytes(journal: &Journal) -> Vec<Finding> {
    let records = journal.lines().iter().filter_map(|line| match &line.entry {
        Entry::Harness(HarnessRecord::BytesAccounted { device, network_bytes, hub_bytes })
            if network_bytes != hub_bytes =>
        {
            Some(format!(
                "the hub consumed {hub_bytes} bytes of {device}, the network handed over {network_bytes}"
            ))
        }
        _ => None,
    });
    records.map(Finding::new).collect()
}

/// What a snapshot holds of an alert: nothing that a clock, a port or a byte count could move.
pub(crate) fn snapshot_text(alerts: &[Alert], raised_in: impl Fn(u64) -> Option<String>) -> String {
    if alerts.is_empty() {
        return "no alerts\n".to_owned();
    }
    let mut blocks: Vec<String> = alerts.iter().map(|alert| snapshot_block(alert, &raised_in)).collect();
    blocks.sort();
    blocks.join("\n")
}

fn snapshot_block(alert: &Alert, raised_in: &impl Fn(u64) -> Option<String>) -> String {
    let mut lines = vec![
        format!("alert: {}", alert.slug),
        format!("  severity: {:?}", alert.severity),
        format!("  entity: {}", subject_of(alert)),
    ];
    if let Some(subject) = &alert.subject {
        lines.push(format!("  subject: {subject}"));
    }
    if let Some(range) = &alert.range {
        let side = match range.side {
            Side::Above => format!("above {}", range.max),
            Side::Below => format!("below {}", range.min),
        };
        lines.push(format!("  range: {side} in {:?} (group {})", range.window, range.group));
        lines.push(format!("  window: {}", range.window_number));
    }
    if alert.ordinal > 0 {
        lines.push(format!("  ordinal: {}", alert.ordinal));
    }
    let step = alert.raised_by.and_then(raised_in).unwrap_or_else(|| "close of the window".to_owned());
    lines.push(format!("  raised in: {step}"));
    lines.join("\n") + "\n"
}
