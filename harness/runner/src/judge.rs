//! Judging a run, after it: proof, then the closed world of expectations. Nothing here runs anything.

use std::collections::{BTreeMap, BTreeSet};

use hilarm_defender::{Alert, Class, Entity, Recommendation, RecommendationState, Side, Trigger, detection};
use hilarm_scenario::{Expect, Proof};
use serde::Serialize;

use crate::flows::unreported;
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

/// Compares recommendations with what was expected, in a closed world.
pub(crate) fn compare_recommendations(expect: &Expect, raised: &[Recommendation]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, expected) in expect.recommendations.iter().enumerate() {
        let state = match expected.state {
            hilarm_scenario::RecommendationState::Active => RecommendationState::Active,
            hilarm_scenario::RecommendationState::Resolved => RecommendationState::Resolved,
        };
        let devices: BTreeSet<_> = expected.devices.iter().cloned().collect();
        let slug = &expected.recommendation;
        let wrong = match raised.iter().find(|raised| raised.slug == slug) {
            None => format!("{slug}: expected {state:?}, never raised"),
            Some(raised) if raised.state != state => {
                format!("{slug}: expected {state:?}, is {:?}", raised.state)
            }
            Some(raised) if raised.finding.devices != devices => {
                format!("{slug}: expected to be about {devices:?}, is about {:?}", raised.finding.devices)
            }
            Some(_) => continue,
        };
        findings.push(Finding::at(format!("expect.recommendations[{at}]"), wrong));
    }
    let expected = |slug: &str| expect.recommendations.iter().any(|known| known.recommendation == slug);
    for raised in raised.iter().filter(|raised| !expected(raised.slug)) {
        let message = format!("{} was raised and is not expected", raised.slug);
        findings.push(Finding::at("expect.recommendations", message));
    }
    findings
}

/// What fired although there was no attack. Silence counts only where a detection looked at something: each of
/// `detects` must have considered an event.
pub(crate) fn fired_without_attack(
    detects: &[String],
    alerts: &[Alert],
    raised: &[Recommendation],
    considered: impl Fn(&str) -> u64,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for alert in alerts {
        let subject = subject_of(alert);
        findings.push(Finding::new(format!("{} for {subject} fired without the attack", alert.slug)));
    }
    for raised in raised.iter().filter(|raised| stands(raised)) {
        findings.push(Finding::new(format!("{} stands without the attack", raised.slug)));
    }
    // A posture is judged whether or not anything happens.
    for slug in detects.iter().filter(|slug| !is_recommendation(slug) && considered(slug) == 0) {
        let message = format!("{slug} saw no event of its kind, so its silence proves nothing");
        findings.push(Finding::new(message));
    }
    findings
}

/// How often a detection fires at the end: its alerts, or whether its recommendation stands.
pub(crate) fn times_fired(slug: &str, alerts: &[Alert], raised: &[Recommendation]) -> usize {
    alerts.iter().filter(|alert| alert.slug == slug).count()
        + raised.iter().filter(|raised| raised.slug == slug && stands(raised)).count()
}

fn stands(raised: &Recommendation) -> bool {
    raised.state == RecommendationState::Active
}

fn is_recommendation(slug: &str) -> bool {
    detection(slug).is_some_and(|known| known.class == Class::Recommendation)
}

/// Compares the connections that devices kept to themselves with what was expected, if it was.
pub(crate) fn compare_flows(expect: &Expect, journal: &Journal) -> Option<Finding> {
    let expected = expect.unreported_flows?;
    let found = unreported(journal);
    (found.len() as u64 != expected).then(|| {
        let shown: Vec<_> = found
            .iter()
            .map(|(device, address, port)| format!("{device} to {address} port {port}"))
            .collect();
        let message =
            format!("{} connections were never reported, expected {expected}: {shown:?}", found.len());
        Finding::at("expect.unreported_flows", message)
    })
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
pub(crate) fn snapshot_text(
    alerts: &[Alert],
    recommendations: &[Recommendation],
    raised_in: impl Fn(u64) -> Option<String>,
) -> String {
    if alerts.is_empty() && recommendations.is_empty() {
        return "no alerts\n".to_owned();
    }
    let mut blocks: Vec<String> = alerts.iter().map(|alert| snapshot_block(alert, &raised_in)).collect();
    blocks.extend(recommendations.iter().map(|raised| recommendation_block(raised, &raised_in)));
    blocks.sort();
    blocks.join("\n")
}

fn recommendation_block(raised: &Recommendation, raised_in: &impl Fn(u64) -> Option<String>) -> String {
    let mut lines = vec![
        format!("recommendation: {}", raised.slug),
        format!("  type: {}", raised.alert_type),
        format!("  severity: {:?}", raised.severity),
        format!("  state: {:?}", raised.state),
    ];
    lines.extend(raised.finding.devices.iter().map(|device| format!("  device: {device}")));
    lines.extend(raised.finding.objects.iter().map(|object| format!("  object: {object}")));
    let step = raised_in(raised.raised_by).unwrap_or_else(|| "provisioning".to_owned());
    lines.push(format!("  raised in: {step}"));
    lines.join("\n") + "\n"
}

fn snapshot_block(alert: &Alert, raised_in: &impl Fn(u64) -> Option<String>) -> String {
    let mut lines = vec![
        format!("alert: {}", alert.slug),
        format!("  type: {}", alert.alert_type),
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
        let marks = marks(alert.slug).iter().filter_map(|(mark, _)| alert.facts.get_key_value(mark));
        lines.extend(marks.map(|(mark, value)| format!("  {mark}: {value}")));
    }
    if alert.ordinal > 0 {
        lines.push(format!("  ordinal: {}", alert.ordinal));
    }
    let step = alert.raised_by.and_then(raised_in).unwrap_or_else(|| "close of the window".to_owned());
    lines.push(format!("  raised in: {step}"));
    lines.join("\n") + "\n"
}

/// The properties that every alert of a range rule carries.
fn marks(slug: &str) -> &'static [(&'static str, &'static str)] {
    match detection(slug).map(|detection| &detection.trigger) {
        Some(Trigger::CountInWindow { marks, .. }) => marks,
        _ => &[],
    }
}
