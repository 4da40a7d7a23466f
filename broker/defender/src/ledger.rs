//! The alerts raised so far, and their deduplication (defender.md 5).
//!
//! Never forgets an alert and never takes one back; refuses further ones beyond [`ALERTS_MAX`], so that a
//! hostile journal cannot eat the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeviceId, Timestamp};

use crate::alert::{Alert, Entity, Facts, RangeBreach, Subject};
use crate::detection::{Scope, Trigger};
use crate::roster::DeviceIndex;
use crate::rule::{Deduplication, Rule};

/// Alerts beyond this number are dropped, which [`crate::Defender::overflowed`] says.
pub const ALERTS_MAX: usize = 200_000;

/// Index of an alert in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlertIndex(u32);

/// A hit, as the engine's position in the fold sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// Hub time.
    pub(crate) at: Timestamp,
    /// 0-based ordinal of the handled record.
    pub(crate) ordinal: u64,
}

/// What alerts are deduplicated by: slug, device (`None`: the hub), subject.
type Key = (&'static str, Option<DeviceIndex>, Option<Subject>);

/// The most recent alert of a key.
#[derive(Debug)]
struct Recent {
    alert: AlertIndex,
    ordinal: u64,
}

/// Alerts in the order in which they were raised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    alerts: Vec<Alert>,
    recent: BTreeMap<Key, Recent>,
    overflowed: bool,
}

impl Ledger {
    pub(crate) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// A hit on a device, or on the hub: extends the open alert of its key, or opens one with the facts given.
    pub(crate) fn hit(
        &mut self,
        rule: &Rule,
        device: Option<(DeviceIndex, &DeviceId)>,
        subject: Option<Subject>,
        position: Position,
        facts: impl FnOnce(&mut Facts),
    ) {
        let key = (rule.detection.slug, device.map(|(index, _)| index), subject);
        let mut ordinal = 0;
        if let Some(recent) = self.recent.get(&key) {
            if let Some(open) = self.alerts.get_mut(recent.alert.0 as usize)
                && let Deduplication::Within(period) = rule.deduplication
                && position.at < open.start + period
            {
                open.end = position.at;
                open.count += 1;
                return;
            }
            ordinal = recent.ordinal + 1;
        }
        let mut alert = alert(rule, device.map(|(_, device)| device), position.at, position.at);
        facts(&mut alert.facts);
        alert.count = 1;
        alert.ordinal = ordinal;
        alert.raised_by = Some(position.ordinal);
        alert.subject.clone_from(&key.2);
        if let Some(alert) = self.push(alert) {
            self.recent.insert(key, Recent { alert, ordinal });
        }
    }

    /// Adds evidence to an alert.
    pub(crate) fn note(&mut self, alert: AlertIndex, fact: &'static str, value: &str) {
        if let Some(alert) = self.alerts.get_mut(alert.0 as usize) {
            alert.facts.insert(fact, value.to_owned());
        }
    }

    /// Something could not be counted for want of room.
    pub(crate) fn overflow(&mut self) {
        self.overflowed = true;
    }

    /// A range rule was broken: opens an alert, which [`Ledger::settle_breach`] may correct later.
    pub(crate) fn breach(
        &mut self,
        rule: &Rule,
        device: (DeviceIndex, &DeviceId),
        breach: RangeBreach,
        (start, end): (Timestamp, Timestamp),
        raised_by: Option<u64>,
    ) -> Option<AlertIndex> {
        let (index, device) = device;
        let key = (rule.detection.slug, Some(index), None);
        let ordinal = self.recent.get(&key).map_or(0, |recent| recent.ordinal + 1);
        let mut alert = alert(rule, Some(device), start, end);
        alert.count = breach.actual_count;
        alert.ordinal = ordinal;
        alert.raised_by = raised_by;
        alert.facts.insert("SecurityGroup", breach.group.clone());
        alert.facts.insert("MinThreshold", breach.min.to_string());
        alert.facts.insert("MaxThreshold", breach.max.to_string());
        alert.facts.insert("ActualCount", breach.actual_count.to_string());
        alert.facts.insert("TimeWindowSize", iso8601(breach.window));
        alert.range = Some(breach);
        let alert = self.push(alert)?;
        self.recent.insert(key, Recent { alert, ordinal });
        Some(alert)
    }

    /// The window of a breach ended: its count is final.
    pub(crate) fn settle_breach(&mut self, alert: AlertIndex, count: u64, end: Timestamp) {
        let Some(alert) = self.alerts.get_mut(alert.0 as usize) else { return };
        if let Some(range) = &mut alert.range {
            range.actual_count = count;
        }
        alert.facts.insert("ActualCount", count.to_string());
        alert.count = count;
        alert.end = end;
    }

    fn push(&mut self, alert: Alert) -> Option<AlertIndex> {
        let index = u32::try_from(self.alerts.len()).ok()?;
        if self.alerts.len() >= ALERTS_MAX {
            self.overflowed = true;
            return None;
        }
        self.alerts.push(alert);
        Some(AlertIndex(index))
    }
}

/// An alert without evidence but the device's id. Its scope decides whom it names.
fn alert(rule: &Rule, device: Option<&DeviceId>, start: Timestamp, end: Timestamp) -> Alert {
    let detection = &rule.detection;
    let mut facts = Facts::new();
    if let Trigger::CountInWindow { marks, .. } = detection.trigger {
        facts.extend(marks.iter().map(|(mark, value)| (*mark, (*value).to_owned())));
    }
    facts.extend(device.map(|device| ("DeviceId", device.to_string())));
    let entity = match (detection.scope, device) {
        (Scope::Device, Some(device)) => Entity::Device(device.clone()),
        _ => Entity::Hub,
    };
    Alert {
        slug: detection.slug,
        alert_type: detection.alert_type,
        severity: detection.severity,
        entity,
        subject: None,
        range: None,
        start,
        end,
        count: 0,
        ordinal: 0,
        raised_by: None,
        facts,
    }
}

/// ISO 8601 as Azure writes it: `PT5M`, `PT1H30M`. Windows are whole seconds.
fn iso8601(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut text = String::from("PT");
    for (value, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M'), (seconds % 60, 'S')] {
        if value > 0 {
            text.push_str(&value.to_string());
            text.push(unit);
        }
    }
    if text.len() == 2 { "PT0S".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_azure_writes_them() {
        for (seconds, text) in
            [(300, "PT5M"), (5400, "PT1H30M"), (1, "PT1S"), (86_400, "PT24H"), (0, "PT0S"), (3601, "PT1H1S")]
        {
            assert_eq!(iso8601(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn alerts_beyond_the_maximum_are_dropped_and_said_to_be() {
        let device = DeviceId::new("pump-1").unwrap();
        let rule = Rule::from(&crate::detections::sas_expired::DETECTION);
        let period = crate::DEDUPLICATION;
        let mut ledger = Ledger::default();
        for hour in 0..=ALERTS_MAX as u64 {
            assert!(!ledger.overflowed());
            let position = Position { at: Timestamp::default() + period * hour as u32, ordinal: hour };
            ledger.hit(&rule, Some((DeviceIndex::default(), &device)), None, position, |_| ());
        }
        assert_eq!(ledger.alerts().len(), ALERTS_MAX);
        assert!(ledger.overflowed());
    }
}
