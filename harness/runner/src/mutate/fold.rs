//! Folding a recorded run by other rules. A rule depends on records alone, never on another rule: only what is
//! replaced is folded anew, over the records that it looks at, and joins the baseline's alerts of the others.

use std::borrow::Cow;

use hilarm_defender::{Alert, Defender, EventKind, Recommendation};
use hilarm_model::{HubEvent, HubRecord, RangeRule};

use super::baseline::Case;
use super::mutant::Fold;

/// Whether the run is judged otherwise when these rules replace the original ones.
pub(super) fn kills(case: &Case, fold: &Fold) -> bool {
    let Refolded { defender, ordinals } = refold(case, fold);
    let original = |at: u64| {
        let handled = usize::try_from(at).ok().and_then(|at| ordinals.get(at));
        handled.copied().unwrap_or(case.records.len() as u64)
    };
    let kept = |slug: &str| !fold.replaced.contains(&slug);
    let mut alerts: Vec<Alert> = case.alerts.iter().filter(|alert| kept(alert.slug)).cloned().collect();
    alerts.extend(defender.alerts().iter().cloned().map(|mut alert| {
        alert.raised_by = alert.raised_by.map(original);
        show_configured(case, &mut alert);
        alert
    }));
    let mut recommendations: Vec<Recommendation> = defender.recommendations().to_vec();
    recommendations.iter_mut().for_each(|raised| raised.raised_by = original(raised.raised_by));
    (fold.recommending)(&mut recommendations);
    recommendations.extend(case.recommendations.iter().filter(|raised| kept(raised.slug)).cloned());
    case.fails(&alerts, &recommendations, |slug| {
        if kept(slug) {
            case.considered.get(slug).copied().unwrap_or_default()
        } else {
            defender.considered(slug)
        }
    })
}

/// What the rules made of the records that concern them.
struct Refolded {
    defender: Defender,
    /// By the defender's ordinals, those of the run.
    ordinals: Vec<u64>,
}

fn refold(case: &Case, fold: &Fold) -> Refolded {
    let mut defender = Defender::with_rules(fold.rules.iter().cloned());
    let mut ordinals = Vec::new();
    let records = match fold.reading {
        Some(reading) => Cow::Owned(reading(&case.records)),
        None => Cow::Borrowed(&case.records),
    };
    for (ordinal, record) in records.iter().enumerate() {
        if concerns(fold, &record.event) {
            ordinals.push(ordinal as u64);
            defender.handle(&shifted(fold, record));
        }
    }
    defender.finish(case.end);
    Refolded { defender, ordinals }
}

/// Lets an alert show the range that was configured: where its ends are shifted, they are not what was changed,
/// and their text must kill nothing.
fn show_configured(case: &Case, alert: &mut Alert) {
    let Some(breach) = &mut alert.range else { return };
    let mut configured: Vec<&RangeRule> = case
        .records
        .iter()
        .filter_map(|record| match &record.event {
            HubEvent::SecurityGroupConfigured { name, group } if name.eq_ignore_ascii_case(&breach.group) => {
                group.ranges.get(&breach.rule)
            }
            _ => None,
        })
        .collect();
    configured.dedup();
    if let [rule] = configured[..] {
        (breach.min, breach.max, breach.window) = (rule.min(), rule.max(), rule.window());
    }
}

fn shifted<'a>(fold: &Fold, record: &'a HubRecord) -> Cow<'a, HubRecord> {
    let Some(shift) = &fold.shift else { return Cow::Borrowed(record) };
    let mut record = record.clone();
    shift(&mut record);
    Cow::Owned(record)
}

/// Configuration concerns every rule, other events those that look at their kind.
fn concerns(fold: &Fold, event: &HubEvent) -> bool {
    let kind = EventKind::of(event);
    if fold.blind_to.is_some() && kind == fold.blind_to {
        return false;
    }
    let configures = matches!(
        event,
        HubEvent::MonitoringStarted
            | HubEvent::DeviceRegistered { .. }
            | HubEvent::DeviceRemoved { .. }
            | HubEvent::SecurityGroupConfigured { .. }
            | HubEvent::SecurityGroupRemoved { .. }
            | HubEvent::SecuritySolutionConfigured { .. }
            | HubEvent::SecuritySolutionRemoved { .. }
            | HubEvent::ProfileConfigured(_)
            | HubEvent::DefenderTuned(_)
    );
    let looks_at = |kind| fold.rules.iter().any(|rule| rule.detection.trigger.on().contains(&kind));
    configures || kind.is_some_and(looks_at)
}
