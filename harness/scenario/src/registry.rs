//! The words that scenarios borrow from other rooms: alerts and range rules from the defender's catalogue,
//! behaviours from the agent.

use hilarm_agent::behaviours;
use hilarm_defender::Trigger;

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

/// Names of every behaviour.
pub(crate) fn behaviours() -> Vec<&'static str> {
    behaviours::all().iter().map(|behaviour| behaviour.name).collect()
}
