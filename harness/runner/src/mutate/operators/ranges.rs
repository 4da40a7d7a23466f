//! Mutants of range rules: either end off by one, the window halved and doubled, its edge, its origin, and the
//! group whose rules hold. The ends reach the defender as configuration: a shifted end is a shifted
//! comparison, and alerts show the end that was configured.

use std::time::Duration;

use hilarm_defender::{Rule, Trigger};
use hilarm_model::{HubEvent, InvalidRange, Profile, RangeRule, RangeRuleType};

use super::super::mutant::{Fold, Mutant};

const A_MICROSECOND: Duration = Duration::from_micros(1);
const A_SECOND: Duration = Duration::from_secs(1);

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let Trigger::CountInWindow { rule, .. } = row.detection.trigger else { return Vec::new() };
    let end = |change: &str, with: fn(&RangeRule) -> Ruled| {
        Mutant::seeing(row, change, move |event| configure(event, rule, with))
    };
    vec![
        end("max one higher: n > max + 1", |range| {
            RangeRule::new(range.min(), range.max().saturating_add(1), range.window())
        }),
        end("max one lower: n >= max", |range| {
            RangeRule::new(range.min(), range.max().saturating_sub(1), range.window())
        }),
        end("min one higher: n <= min", |range| {
            RangeRule::new(range.min().saturating_add(1), range.max(), range.window())
        }),
        end("min one lower: n < min - 1", |range| {
            RangeRule::new(range.min().saturating_sub(1), range.max(), range.window())
        }),
        end("window halved", |range| RangeRule::new(range.min(), range.max(), range.window() / 2)),
        end("window doubled", |range| RangeRule::new(range.min(), range.max(), range.window() * 2)),
    ]
}

type Ruled = Result<RangeRule, InvalidRange>;

/// Puts another range in the place of the configured one; one that cannot be is left alone.
fn configure(event: &mut HubEvent, rule: RangeRuleType, with: fn(&RangeRule) -> Ruled) {
    if let HubEvent::SecurityGroupConfigured { group, .. } = event
        && let Some(range) = group.ranges.get_mut(&rule)
        && let Ok(other) = with(range)
    {
        *range = other;
    }
}

/// Mutants of what range rules share, and of the groups that they share with allow lists.
pub(super) fn of_all(rows: &[Rule]) -> Vec<Mutant> {
    let ranges = those(rows, |trigger| matches!(trigger, Trigger::CountInWindow { .. }));
    let grouped =
        those(rows, |trigger| matches!(trigger, Trigger::CountInWindow { .. } | Trigger::AllowList { .. }));
    let mutant = |change, fold| Mutant::of_rows("range rules", change, "d2c-mqtt", fold);
    let later = |by: Duration| {
        ranges.clone().shifted(move |record| {
            if record.event == HubEvent::MonitoringStarted {
                record.at += by;
            }
        })
    };
    vec![
        mutant("an event on the edge belongs to the window before", later(A_MICROSECOND)),
        mutant("windows begin a second late", later(A_SECOND)),
        mutant(
            "every device is in the default group",
            grouped.seeing(|event| {
                if let HubEvent::DeviceRegistered { security_group, .. } = event {
                    "default".clone_into(security_group);
                }
            }),
        ),
        mutant(
            "the profile is always extended",
            ranges.clone().seeing(|event| {
                if let HubEvent::ProfileConfigured(profile) = event {
                    *profile = Profile::Extended;
                }
            }),
        ),
    ]
}

fn those(rows: &[Rule], wanted: fn(&Trigger) -> bool) -> Fold {
    let wanted: Vec<Rule> = rows.iter().filter(|row| wanted(&row.detection.trigger)).cloned().collect();
    Fold::of_all(&wanted)
}
