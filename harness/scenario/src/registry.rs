//! The words that scenarios borrow from other rooms: alerts and range rules from the defender's catalogue,
//! behaviours from the agent.

use hilarm_agent::behaviours;
use hilarm_defender::Trigger;
use hilarm_model::AllowRuleType;

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

/// Slugs of the detections that a security group configures with an allow list.
pub(crate) fn allow_rules() -> Vec<(&'static str, AllowRuleType)> {
    let known = alerts();
    ALLOW_RULES.into_iter().filter(|(slug, _)| known.contains(slug)).collect()
}

/// The allow-list rule that enables a detection.
pub fn allow_rule(slug: &str) -> Option<AllowRuleType> {
    ALLOW_RULES.into_iter().find(|(known, _)| *known == slug).map(|(_, rule)| rule)
}

const ALLOW_RULES: [(&str, AllowRuleType); 3] = [
    ("outbound-connection-not-allowed", AllowRuleType::ConnectionToIpNotAllowed),
    ("local-user-not-allowed", AllowRuleType::LocalUserNotAllowed),
    ("process-not-allowed", AllowRuleType::ProcessNotAllowed),
];

/// Names of every behaviour.
pub(crate) fn behaviours() -> Vec<&'static str> {
    behaviours::all().iter().map(|behaviour| behaviour.name).collect()
}
