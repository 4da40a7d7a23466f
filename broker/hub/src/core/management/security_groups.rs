//! Device security groups (`Microsoft.Security/deviceSecurityGroups`): custom alert rules as Azure's JSON.
//! A body may be sparse; an answer lists every rule, the missing ones disabled with Azure's defaults.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hilarm_model::{AllowList, AllowRuleType, HubEvent, Now, RangeRule, RangeRuleType, SecurityGroup};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::duration;
use super::{answer, deleted, hub_id, written};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

const RANGE_SUFFIX: &str = "NotInAllowedRange";
const DEFAULT_WINDOW: &str = "PT15M";

const RANGES: [RangeRuleType; 16] = [
    RangeRuleType::ActiveConnections,
    RangeRuleType::AmqpC2DMessages,
    RangeRuleType::MqttC2DMessages,
    RangeRuleType::HttpC2DMessages,
    RangeRuleType::AmqpC2DRejectedMessages,
    RangeRuleType::MqttC2DRejectedMessages,
    RangeRuleType::HttpC2DRejectedMessages,
    RangeRuleType::AmqpD2CMessages,
    RangeRuleType::MqttD2CMessages,
    RangeRuleType::HttpD2CMessages,
    RangeRuleType::DirectMethodInvokes,
    RangeRuleType::FailedLocalLogins,
    RangeRuleType::FileUploads,
    RangeRuleType::QueuePurges,
    RangeRuleType::TwinUpdates,
    RangeRuleType::UnauthorizedOperations,
];

const ALLOW_LISTS: [AllowRuleType; 4] = [
    AllowRuleType::ConnectionToIpNotAllowed,
    AllowRuleType::ConnectionFromIpNotAllowed,
    AllowRuleType::LocalUserNotAllowed,
    AllowRuleType::ProcessNotAllowed,
];

/// A group with every rule that its body stated, the disabled ones too.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredGroup {
    ranges: BTreeMap<RangeRuleType, StoredRange>,
    allow_lists: BTreeMap<AllowRuleType, StoredAllowList>,
}

#[derive(Clone, Debug)]
struct StoredRange {
    enabled: bool,
    min: u64,
    max: u64,
    /// As written.
    window: String,
}

#[derive(Clone, Debug, Default)]
struct StoredAllowList {
    enabled: bool,
    values: Vec<String>,
}

impl Default for StoredRange {
    fn default() -> Self {
        Self { enabled: false, min: 0, max: 0, window: DEFAULT_WINDOW.into() }
    }
}

#[derive(Deserialize)]
struct RawGroup {
    properties: RawProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RawProperties {
    threshold_rules: Vec<RawNamed>,
    time_window_rules: Vec<RawRange>,
    allowlist_rules: Vec<RawAllowList>,
    denylist_rules: Vec<RawNamed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNamed {
    rule_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRange {
    rule_type: String,
    #[serde(default)]
    is_enabled: bool,
    #[serde(default)]
    min_threshold: u64,
    #[serde(default)]
    max_threshold: u64,
    time_window_size: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAllowList {
    rule_type: String,
    #[serde(default)]
    is_enabled: bool,
    #[serde(default)]
    allowlist_values: Vec<String>,
}

fn invalid(why: impl Into<String>) -> HubError {
    HubError::ArgumentInvalid(why.into())
}

/// The name that serde gives a rule type.
fn name_of(rule: impl Serialize) -> String {
    serde_json::to_value(rule).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn range_type(name: &str) -> Result<RangeRuleType, HubError> {
    let stem = name.strip_suffix(RANGE_SUFFIX);
    let known = stem.and_then(|stem| RANGES.into_iter().find(|rule| name_of(rule) == stem));
    known.ok_or_else(|| invalid(format!("there is no time window rule {name:?}")))
}

fn allow_type(name: &str) -> Result<AllowRuleType, HubError> {
    let known = ALLOW_LISTS.into_iter().find(|rule| name_of(rule) == name);
    known.ok_or_else(|| invalid(format!("there is no allow list rule {name:?}")))
}

fn is_of_networks(rule: AllowRuleType) -> bool {
    matches!(rule, AllowRuleType::ConnectionToIpNotAllowed | AllowRuleType::ConnectionFromIpNotAllowed)
}

impl StoredGroup {
    fn read(json: Value) -> Result<Self, HubError> {
        let raw: RawGroup = serde_json::from_value(json).map_err(|why| invalid(why.to_string()))?;
        let RawProperties { threshold_rules, time_window_rules, allowlist_rules, denylist_rules } =
            raw.properties;
        if let Some(rule) = threshold_rules.iter().chain(&denylist_rules).next() {
            return Err(invalid(format!("there is no threshold or deny list rule {:?}", rule.rule_type)));
        }
        let mut group = Self::default();
        for raw in time_window_rules {
            let rule = range_type(&raw.rule_type)?;
            let window = raw.time_window_size.unwrap_or_else(|| DEFAULT_WINDOW.into());
            let (enabled, min, max) = (raw.is_enabled, raw.min_threshold, raw.max_threshold);
            if group.ranges.insert(rule, StoredRange { enabled, min, max, window }).is_some() {
                return Err(invalid(format!("{} is there twice", raw.rule_type)));
            }
        }
        for raw in allowlist_rules {
            let rule = allow_type(&raw.rule_type)?;
            let stored = StoredAllowList { enabled: raw.is_enabled, values: raw.allowlist_values };
            if group.allow_lists.insert(rule, stored).is_some() {
                return Err(invalid(format!("{} is there twice", raw.rule_type)));
            }
        }
        Ok(group)
    }

    /// The enabled rules; every rule is judged, the disabled ones too.
    fn enabled(&self) -> Result<SecurityGroup, HubError> {
        let mut group = SecurityGroup::default();
        for (rule, stored) in &self.ranges {
            let range = stored.rule()?;
            if stored.enabled {
                group.ranges.insert(*rule, range);
            }
        }
        for (rule, stored) in &self.allow_lists {
            let list = stored.list(*rule)?;
            if stored.enabled {
                group.allow_lists.insert(*rule, list);
            }
        }
        Ok(group)
    }

    /// A group that was configured by its enabled rules alone.
    fn of(group: &SecurityGroup) -> Self {
        let ranges = group.ranges.iter().map(|(rule, range)| {
            let window = format!("PT{}S", range.window().as_secs());
            (*rule, StoredRange { enabled: true, min: range.min(), max: range.max(), window })
        });
        let allow_lists = group.allow_lists.iter().map(|(rule, list)| {
            let values = match list {
                AllowList::Networks(networks) => networks.iter().map(ToString::to_string).collect(),
                AllowList::Names(names) => names.clone(),
            };
            (*rule, StoredAllowList { enabled: true, values })
        });
        Self { ranges: ranges.collect(), allow_lists: allow_lists.collect() }
    }

    fn to_json(&self) -> Value {
        let ranges = RANGES.map(|rule| {
            let stored = self.ranges.get(&rule).cloned().unwrap_or_default();
            json!({
                "ruleType": format!("{}{RANGE_SUFFIX}", name_of(rule)),
                "isEnabled": stored.enabled,
                "minThreshold": stored.min,
                "maxThreshold": stored.max,
                "timeWindowSize": stored.window,
            })
        });
        let allow_lists = ALLOW_LISTS.map(|rule| {
            let stored = self.allow_lists.get(&rule).cloned().unwrap_or_default();
            json!({
                "ruleType": name_of(rule),
                "isEnabled": stored.enabled,
                "valueType": if is_of_networks(rule) { "IpCidr" } else { "String" },
                "allowlistValues": stored.values,
            })
        });
        json!({
            "thresholdRules": [],
            "timeWindowRules": ranges,
            "allowlistRules": allow_lists,
            "denylistRules": [],
        })
    }
}

impl StoredRange {
    fn rule(&self) -> Result<RangeRule, HubError> {
        let window = duration::parse(&self.window);
        let window = window.ok_or_else(|| invalid(format!("{:?} is no duration", self.window)))?;
        RangeRule::new(self.min, self.max, window).map_err(|why| invalid(why.to_string()))
    }
}

impl StoredAllowList {
    fn list(&self, rule: AllowRuleType) -> Result<AllowList, HubError> {
        if !is_of_networks(rule) {
            return Ok(AllowList::Names(self.values.clone()));
        }
        let network = |text: &String| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Into::into));
            network.map_err(|_| invalid(format!("{text:?} is no network")))
        };
        self.values.iter().map(network).collect::<Result<_, _>>().map(AllowList::Networks)
    }
}

impl Core {
    pub(in crate::core) fn put_security_group(
        &mut self,
        name: &str,
        group: SecurityGroup,
        now: Now,
    ) -> ServiceReply {
        let name = name.to_lowercase();
        self.management.security_groups.insert(name.clone(), StoredGroup::of(&group));
        self.record(HubEvent::SecurityGroupConfigured { name, group }, now);
        ServiceReply::Done
    }

    pub(in crate::core) fn put_security_group_json(
        &mut self,
        name: &str,
        json: Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let name = name.to_lowercase();
        let stored = StoredGroup::read(json)?;
        let group = stored.enabled()?;
        let existed = self.management.security_groups.insert(name.clone(), stored).is_some();
        self.record(HubEvent::SecurityGroupConfigured { name: name.clone(), group }, now);
        self.security_group_reply(&name, written(existed))
    }

    pub(in crate::core) fn security_group_reply(
        &self,
        name: &str,
        status: u16,
    ) -> Result<ServiceReply, HubError> {
        let name = name.to_lowercase();
        let Some(group) = self.management.security_groups.get(&name) else {
            return Err(HubError::ResourceNotFound(name));
        };
        let id =
            format!("{}/providers/Microsoft.Security/deviceSecurityGroups/{name}", hub_id(&self.config.host));
        let kind = "Microsoft.Security/deviceSecurityGroups";
        let body = json!({ "id": id, "name": name, "type": kind, "properties": group.to_json() });
        Ok(answer(status, body))
    }

    pub(in crate::core) fn delete_security_group(&mut self, name: &str, now: Now) -> ServiceReply {
        let name = name.to_lowercase();
        let existed = self.management.security_groups.remove(&name).is_some();
        if existed {
            self.record(HubEvent::SecurityGroupRemoved { name }, now);
        }
        deleted(existed)
    }
}
