//! The words that scenarios borrow from other rooms: alerts and range rules from the defender's catalogue,
//! behaviours from the agent.

use hilarm_agent::behaviours;
use hilarm_defender::{Detection, Trigger};
use hilarm_model::{AllowRuleType, RangeRuleType};

/// Slugs of every detection.
pub(crate) fn alerts() -> Vec<&'static str> {
    hilarm_defender::catalogue().iter().map(|detection| detection.slug).collect()
}

/// Slugs of the detections that a security group configures with a range.
pub(crate) fn range_rules() -> Vec<&'static str> {
    let counts = |trigger: &Trigger| matches!(trigger, Trigger::CountInWindow { .. });
    let detections = hilarm_defender::catalogue().iter();
    detections.filter(|detection| counts(&detection.trigger)).map(|detection| detection.slug).collect()
}

/// Slugs of the detections that a security group configures with an allow list, and the rule of each.
pub(crate) fn allow_rules() -> Vec<(&'static str, AllowRuleType)> {
    let rule = |detection: &&'static Detection| match detection.trigger {
        Trigger::AllowList { rule, .. } => Some((detection.slug, rule)),
        _ => None,
    };
    hilarm_defender::catalogue().iter().filter_map(rule).collect()
}

/// Slug of the first detection that a range rule enables.
pub(crate) fn range_slug(rule: RangeRuleType) -> Option<&'static str> {
    let enables = |detection: &&&Detection| matches!(detection.trigger, Trigger::CountInWindow { rule: known, .. } if known == rule);
    hilarm_defender::catalogue().iter().find(enables).map(|detection| detection.slug)
}

/// Slug of the detection that an allow-list rule enables.
pub(crate) fn allow_slug(rule: AllowRuleType) -> Option<&'static str> {
    allow_rules().into_iter().find(|(_, known)| *known == rule).map(|(slug, _)| slug)
}

/// The allow-list rule that enables a detection.
pub fn allow_rule(slug: &str) -> Option<AllowRuleType> {
    allow_rules().into_iter().find(|(known, _)| *known == slug).map(|(_, rule)| rule)
}

/// Slugs of every recommendation.
pub(crate) fn recommendations() -> Vec<&'static str> {
    hilarm_defender::recommendation_catalogue().iter().map(|detection| detection.slug).collect()
}

/// Names of every behaviour.
pub(crate) fn behaviours() -> Vec<&'static str> {
    behaviours::all().iter().map(|behaviour| behaviour.name).collect()
}
