//! Rule configuration that reaches the defender as HubEvents: security groups and threat intelligence.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range rule type of `Microsoft.Security/deviceSecurityGroups`, without its `NotInAllowedRange` suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RangeRuleType {
    /// Telemetry messages accepted over MQTT.
    MqttD2CMessages,
}

/// One enabled range rule: an alert is raised when the count of a window is below `min` or above `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRangeRule")]
pub struct RangeRule {
    min: u64,
    max: u64,
    window_s: u64,
}

/// Why a range rule is refused; IoT Hub answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRange {
    /// `min` is greater than `max`.
    MinAboveMax {
        /// The lower end given.
        min: u64,
        /// The upper end given.
        max: u64,
    },
    /// The window is shorter than one second.
    EmptyWindow,
}

impl fmt::Display for InvalidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinAboveMax { min, max } => write!(f, "min {min} is above max {max}"),
            Self::EmptyWindow => write!(f, "the window must be at least one second"),
        }
    }
}

impl std::error::Error for InvalidRange {}

#[derive(Deserialize)]
struct RawRangeRule {
    min: u64,
    max: u64,
    window_s: u64,
}

impl TryFrom<RawRangeRule> for RangeRule {
    type Error = InvalidRange;
    fn try_from(raw: RawRangeRule) -> Result<Self, InvalidRange> {
        Self::new(raw.min, raw.max, Duration::from_secs(raw.window_s))
    }
}

impl RangeRule {
    /// A rule that allows `min..=max` events in each window; whole seconds of the window count.
    pub fn new(min: u64, max: u64, window: Duration) -> Result<Self, InvalidRange> {
        if min > max {
            return Err(InvalidRange::MinAboveMax { min, max });
        }
        if window.as_secs() == 0 {
            return Err(InvalidRange::EmptyWindow);
        }
        Ok(Self { min, max, window_s: window.as_secs() })
    }

    /// The smallest allowed count.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The greatest allowed count.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The length of the tumbling window.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

/// A device security group: the enabled rules for the devices whose twin tag `SecurityGroup` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Enabled range rules.
    pub ranges: BTreeMap<RangeRuleType, RangeRule>,
}

/// Addresses that threat intelligence calls suspicious.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreatList {
    /// Single addresses are /32 or /128 networks.
    pub networks: Vec<IpNet>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_with_min_above_max_is_refused_also_when_deserialised() {
        assert_eq!(
            RangeRule::new(3, 2, Duration::from_secs(60)),
            Err(InvalidRange::MinAboveMax { min: 3, max: 2 })
        );
        assert!(serde_json::from_str::<RangeRule>(r#"{"min":3,"max":2,"window_s":60}"#).is_err());
    }

    #[test]
    fn a_window_below_one_second_is_refused() {
        assert_eq!(RangeRule::new(0, 2, Duration::from_millis(999)), Err(InvalidRange::EmptyWindow));
    }
}
