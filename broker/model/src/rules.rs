//! Rule configuration that reaches the defender as HubEvents: security groups and threat intelligence.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range rule type of `Microsoft.Security/deviceSecurityGroups`, without its `NotInAllowedRange` suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RangeRuleType {
    /// Distinct TCP and UDP connections that the device reported.
    ActiveConnections,
    /// Cloud-to-device messages over AMQP.
    AmqpC2DMessages,
    /// Cloud-to-device messages over MQTT.
    MqttC2DMessages,
    /// Cloud-to-device messages over HTTPS.
    HttpC2DMessages,
    /// Cloud-to-device messages rejected over AMQP.
    AmqpC2DRejectedMessages,
    /// Cloud-to-device messages rejected over MQTT.
    MqttC2DRejectedMessages,
    /// Cloud-to-device messages rejected over HTTPS.
    HttpC2DRejectedMessages,
    /// Telemetry messages accepted over AMQP.
    AmqpD2CMessages,
    /// Telemetry messages accepted over MQTT.
    MqttD2CMessages,
    /// Telemetry messages accepted over HTTPS.
    HttpD2CMessages,
    /// Invocations of direct methods.
    DirectMethodInvokes,
    /// Failed logins on the device.
    FailedLocalLogins,
    /// Completed file uploads.
    FileUploads,
    /// Purges of the device's queue.
    QueuePurges,
    /// Updates of module twins.
    TwinUpdates,
    /// Operations that failed as unauthorized.
    UnauthorizedOperations,
}

impl RangeRuleType {
    /// Every range rule type, in the order in which Azure lists them.
    pub const ALL: [Self; 16] = [
        Self::ActiveConnections,
        Self::AmqpC2DMessages,
        Self::MqttC2DMessages,
        Self::HttpC2DMessages,
        Self::AmqpC2DRejectedMessages,
        Self::MqttC2DRejectedMessages,
        Self::HttpC2DRejectedMessages,
        Self::AmqpD2CMessages,
        Self::MqttD2CMessages,
        Self::HttpD2CMessages,
        Self::DirectMethodInvokes,
        Self::FailedLocalLogins,
        Self::FileUploads,
        Self::QueuePurges,
        Self::TwinUpdates,
        Self::UnauthorizedOperations,
    ];
}

/// An allow-list rule type of `Microsoft.Security/deviceSecurityGroups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AllowRuleType {
    /// Outbound connections only to these networks.
    ConnectionToIpNotAllowed,
    /// Inbound connections only from these networks.
    ConnectionFromIpNotAllowed,
    /// Only these local users sign in.
    LocalUserNotAllowed,
    /// Only these executables run, by path or by base name.
    ProcessNotAllowed,
}

impl AllowRuleType {
    /// Every allow-list rule type, in the order in which Azure lists them.
    pub const ALL: [Self; 4] = [
        Self::ConnectionToIpNotAllowed,
        Self::ConnectionFromIpNotAllowed,
        Self::LocalUserNotAllowed,
        Self::ProcessNotAllowed,
    ];
}

/// What an enabled allow-list rule allows; an empty list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowList {
    /// Networks, for the connection rules.
    Networks(Vec<IpNet>),
    /// Names, for users and processes.
    Names(Vec<String>),
}

/// How the defender treats what Azure cannot do or does not document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Beyond Azure where that makes an attack visible; such alerts are marked `x-standin`.
    #[default]
    Extended,
    /// As Azure, blind spots included.
    AzureFaithful,
}

/// The defender's knobs, with the defaults that defender.md settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// Updates of device twins count like those of module twins.
    pub include_device_twins: bool,
    /// An allowed network of more IPv4 addresses than this is too large.
    pub allowed_network_addresses_max: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { include_device_twins: false, allowed_network_addresses_max: 65_536 }
    }
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
    /// Enabled allow lists.
    #[serde(default)]
    pub allow_lists: BTreeMap<AllowRuleType, AllowList>,
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
