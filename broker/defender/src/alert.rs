//! What the fold says: an [`Alert`], with the evidence that an analyst would ask for.
//!
//! Plain data; how it looks on the wire is `security_alert`'s business.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hilarm_model::{DeviceId, RangeRuleType, Timestamp};
use serde::Serialize;

use crate::detection::Severity;

/// `ExtendedProperties` of an alert: key and value, both text.
pub type Facts = BTreeMap<&'static str, String>;

/// One raised alert. Later hits inside the deduplication period extend it in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Our stable id of the detection.
    pub slug: &'static str,
    /// `AlertType` of the detection, verbatim.
    pub alert_type: &'static str,
    /// Severity of the detection.
    pub severity: Severity,
    /// Who is compromised.
    pub entity: Entity,
    /// What the alert is about besides the entity; part of the deduplication key.
    pub subject: Option<Subject>,
    /// The broken range rule, for alerts of range rules.
    pub range: Option<RangeBreach>,
    /// First hit; for a range rule the start of the window.
    pub start: Timestamp,
    /// Last hit; for a range rule the end of the window, or the end of the run if that came first.
    /// While the window of a broken maximum is open: the event that broke it.
    pub end: Timestamp,
    /// Hits; for a range rule the events counted, final once the window closed.
    pub count: u64,
    /// How many alerts of the same detection, entity and subject came before this one.
    pub ordinal: u64,
    /// 0-based ordinal of the handled record that raised it; `None` when the close of a window did.
    pub raised_by: Option<u64>,
    /// Evidence, `DeviceId` always among it for device alerts.
    pub facts: Facts,
}

/// The compromised entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A device.
    Device(DeviceId),
    /// The IoT Hub itself.
    Hub,
}

/// What an alert is about besides its entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A remote address; an IPv4-mapped IPv6 address is given as IPv4.
    Address(IpAddr),
    /// A certificate of the hub, by name.
    Certificate(String),
    /// A diagnostic setting of the hub, by name.
    DiagnosticSetting(String),
    /// A local user of the device.
    User(String),
    /// An executable on the device, by path.
    Executable(String),
}

/// Longest name that an alert repeats; the rest of a longer one is cut off.
const NAME_CHARS_MAX: usize = 256;

/// A name out of an event, short enough for an alert.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Certificate(name)
            | Self::DiagnosticSetting(name)
            | Self::User(name)
            | Self::Executable(name) => f.write_str(name),
        }
    }
}

/// Which end of the range was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// More than `max`.
    Above,
    /// Fewer than `min`.
    Below,
}

/// A range rule that a window broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeBreach {
    /// The rule.
    pub rule: RangeRuleType,
    /// The end of the range that was left.
    pub side: Side,
    /// Smallest allowed count.
    pub min: u64,
    /// Greatest allowed count.
    pub max: u64,
    /// Length of the tumbling window.
    pub window: Duration,
    /// 0-based number of the window, counted from the start of monitoring.
    pub window_number: u64,
    /// The security group whose rule it is, lower case.
    pub group: String,
    /// Events counted; final once the window closed.
    pub actual_count: u64,
}
