//! When each collector runs: the configured intervals, and what the twin's desired properties make of them
//! (`spec/defender.md`, 1.4): every value wrapped as `{"value": ...}`, durations in ISO 8601. Settings of
//! the classic agent that this one has no use for are passed over.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::AgentConfig;
use serde_json::Value;

/// The section of the desired properties.
const SECTION: &str = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";
const HIGH: &str = "highPriorityMessageFrequency";
const LOW: &str = "lowPriorityMessageFrequency";
const SNAPSHOT: &str = "snapshotFrequency";
const MESSAGE_BYTES: &str = "maxMessageSizeInBytes";
const PRIORITY_PREFIX: &str = "eventPriority";
/// The events whose priority may be set.
pub(super) const EVENTS: [&str; 14] = [
    "ConfigurationError",
    "ConnectedHardware",
    "ConnectionCreate",
    "Diagnostic",
    "DroppedEventsStatistics",
    "FirewallConfiguration",
    "ListeningPorts",
    "LocalUsers",
    "Login",
    "MessageStatistics",
    "OSBaseline",
    "ProcessCreate",
    "ProcessTerminate",
    "SystemInformation",
];

/// As much as a device of this size sends at once.
const MESSAGE_BYTES_DEFAULT: u32 = 16 * 1024;
const MESSAGE_BYTES_ALLOWED: core::ops::RangeInclusive<u32> = 8192..=262_144;
/// More misfits than this wait for no collector.
const REFUSED_MAX: usize = 16;

/// How often an event is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Never.
    Off,
    /// At the low-priority interval.
    Low,
    /// At the high-priority interval.
    High,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Seconds(u32),
    Bytes(u32),
    Priority(Priority),
}

/// The intervals in force.
pub(crate) struct Schedule {
    configured: AgentConfig,
    settings: BTreeMap<String, Setting>,
    refused: Vec<(String, String)>,
}

impl Schedule {
    /// As configured; the twin has said nothing yet.
    pub(crate) fn new(configured: AgentConfig) -> Self {
        Self { configured, settings: BTreeMap::new(), refused: Vec::new() }
    }

    /// Interval of high-priority collectors in seconds; 0 turns them off.
    pub(crate) fn high_s(&self) -> u32 {
        self.seconds(HIGH).unwrap_or(u32::from(self.configured.network_activity_s))
    }

    /// Interval of low-priority collectors in seconds; 0 turns them off.
    pub(crate) fn low_s(&self) -> u32 {
        self.seconds(LOW).unwrap_or(u32::from(self.configured.low_priority_s))
    }

    /// Priority of an event.
    pub(crate) fn priority(&self, event: &str, default: Priority) -> Priority {
        match self.settings.get(&format!("{PRIORITY_PREFIX}{event}")) {
            Some(Setting::Priority(priority)) => *priority,
            _ => default,
        }
    }

    /// Whether the twin asks for snapshots at a frequency of its own.
    pub(crate) fn asks_for_snapshots(&self) -> bool {
        self.seconds(SNAPSHOT).is_some()
    }

    /// Interval of an event in seconds; 0 turns it off.
    pub(crate) fn event_s(&self, event: &str, default: Priority) -> u32 {
        match self.priority(event, default) {
            Priority::Off => 0,
            Priority::Low => self.low_s(),
            Priority::High => self.high_s(),
        }
    }

    /// Interval of a periodic event, which the frequency of snapshots sets when there is one.
    pub(crate) fn snapshot_s(&self, event: &str, default: Priority) -> u32 {
        match (self.event_s(event, default), self.seconds(SNAPSHOT)) {
            (0, _) => 0,
            (_, Some(seconds)) => seconds,
            (seconds, None) => seconds,
        }
    }

    /// How long a message may become.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let bytes = match self.settings.get(MESSAGE_BYTES) {
            Some(Setting::Bytes(bytes)) => *bytes,
            _ => MESSAGE_BYTES_DEFAULT,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Takes all desired properties.
    pub(crate) fn replace(&mut self, desired: &Value) {
        self.settings.clear();
        self.change(desired);
    }

    /// Takes a change of desired properties: `null` brings the default back.
    pub(crate) fn change(&mut self, desired: &Value) {
        match desired.get(SECTION) {
            None => {}
            Some(Value::Null) => self.settings.clear(),
            Some(Value::Object(section)) => {
                section.iter().for_each(|(name, wrapped)| self.set(name, wrapped));
            }
            Some(_) => self.refuse(SECTION, "the settings before"),
        }
    }

    /// The settings that made no sense since the last time, with what is used in their place.
    pub(crate) fn take_refused(&mut self) -> Vec<(String, String)> {
        core::mem::take(&mut self.refused)
    }

    fn set(&mut self, name: &str, wrapped: &Value) {
        if wrapped.is_null() {
            self.settings.remove(name);
            return;
        }
        let value = wrapped.get("value");
        let setting = match name {
            HIGH | LOW | SNAPSHOT => value.and_then(Value::as_str).and_then(duration_s).map(Setting::Seconds),
            MESSAGE_BYTES => value
                .and_then(Value::as_u64)
                .and_then(|bytes| u32::try_from(bytes).ok())
                .filter(|bytes| MESSAGE_BYTES_ALLOWED.contains(bytes))
                .map(Setting::Bytes),
            _ => match name.strip_prefix(PRIORITY_PREFIX) {
                Some(event) if EVENTS.contains(&event) => value.and_then(priority).map(Setting::Priority),
                _ => return,
            },
        };
        match setting {
            Some(setting) => {
                self.settings.insert(name.to_string(), setting);
            }
            None => self.refuse(name, "the value before"),
        }
    }

    fn refuse(&mut self, name: &str, used: &str) {
        if self.refused.len() < REFUSED_MAX {
            self.refused.push((name.to_string(), used.to_string()));
        }
    }

    fn seconds(&self, name: &str) -> Option<u32> {
        match self.settings.get(name) {
            Some(Setting::Seconds(seconds)) => Some(*seconds),
            _ => None,
        }
    }
}

fn priority(value: &Value) -> Option<Priority> {
    match value.as_str()? {
        "Off" => Some(Priority::Off),
        "Low" => Some(Priority::Low),
        "High" => Some(Priority::High),
        _ => None,
    }
}

/// Whole seconds of an ISO 8601 duration of days, hours, minutes and seconds; at least one.
fn duration_s(text: &str) -> Option<u32> {
    let text = text.strip_prefix('P')?;
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    let seconds =
        parts_s(days, &[('D', 86_400)])?.checked_add(parts_s(time, &[('H', 3600), ('M', 60), ('S', 1)])?)?;
    (seconds > 0).then_some(seconds)
}

/// The parts of a duration, each at most once and in this order.
fn parts_s(mut text: &str, units: &[(char, u32)]) -> Option<u32> {
    let mut sum = 0u32;
    for &(unit, seconds) in units {
        if let Some((digits, rest)) = text.split_once(unit) {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count: u32 = if is_number { digits.parse().ok()? } else { return None };
            sum = sum.checked_add(count.checked_mul(seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schedule(section: &Value) -> Schedule {
        let mut schedule = Schedule::new(AgentConfig::default());
        schedule.change(&json!({ SECTION: section, "$version": 2 }));
        schedule
    }

    #[test]
    fn without_a_word_from_the_twin_the_configured_intervals_hold() {
        let mut schedule = Schedule::new(AgentConfig::default());
        schedule.change(&json!({ "other": 1 }));
        assert_eq!((schedule.high_s(), schedule.low_s()), (10, 60));
        assert_eq!(schedule.event_s("Login", Priority::High), 10);
        assert_eq!(schedule.snapshot_s("ListeningPorts", Priority::Low), 60);
        assert_eq!(schedule.take_refused(), []);
    }

    #[test]
    fn the_twin_sets_intervals_priorities_and_the_length_of_messages() {
        let schedule = schedule(&json!({
            HIGH: { "value": "PT7M" }, LOW: { "value": "PT5H" }, SNAPSHOT: { "value": "PT13H" },
            MESSAGE_BYTES: { "value": 8192 }, "eventPriorityLogin": { "value": "Low" },
            "eventPriorityProcessCreate": { "value": "Off" }, "aggregationEnabledLogin": { "value": true },
        }));
        assert_eq!((schedule.high_s(), schedule.low_s()), (420, 18_000));
        assert_eq!(schedule.snapshot_s("ListeningPorts", Priority::Low), 46_800);
        assert_eq!(schedule.event_s("Login", Priority::High), 18_000);
        assert_eq!(schedule.event_s("ProcessCreate", Priority::High), 0);
        assert_eq!(schedule.message_bytes_max(), 8192);
    }

    #[test]
    fn null_brings_the_default_back_for_one_setting_or_for_all() {
        let mut schedule = schedule(&json!({ HIGH: { "value": "PT7M" }, LOW: { "value": "PT5H" } }));
        schedule.change(&json!({ SECTION: { HIGH: null } }));
        assert_eq!((schedule.high_s(), schedule.low_s()), (10, 18_000));
        schedule.change(&json!({ SECTION: null }));
        assert_eq!(schedule.low_s(), 60);
    }

    #[test]
    fn a_whole_twin_replaces_what_was_set_before() {
        let mut schedule = schedule(&json!({ HIGH: { "value": "PT7M" } }));
        schedule.replace(&json!({ SECTION: { LOW: { "value": "PT05M" } } }));
        assert_eq!((schedule.high_s(), schedule.low_s()), (10, 300));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name_and_changes_nothing() {
        for wrong in [
            json!("PT7M"),
            json!({ "value": 7 }),
            json!({ "value": "7M" }),
            json!({ "value": "PT0S" }),
            json!({ "value": "PT" }),
            json!({ "value": "PT7M7H" }),
            json!({ "value": "PT99999999999H" }),
            json!({ "value": "P+1D" }),
            json!([]),
        ] {
            let mut schedule = schedule(&json!({ HIGH: wrong }));
            assert_eq!(schedule.high_s(), 10, "{wrong}");
            assert_eq!(schedule.take_refused().len(), 1, "{wrong}");
        }
        let mut schedule = schedule(&json!("all"));
        assert_eq!(schedule.take_refused()[0].0, SECTION);
    }

    #[test]
    fn durations_have_days_hours_minutes_and_seconds() {
        assert_eq!(duration_s("P1DT2H3M4S"), Some(93_784));
        assert_eq!(duration_s("PT05M"), Some(300));
        assert_eq!(duration_s("P2D"), Some(172_800));
        assert_eq!(duration_s("P"), None);
    }
}
