//! Custom alert rules as Azure's JSON, the body of a device security group. A body may be sparse; an answer
//! lists every rule, the missing ones disabled with Azure's defaults.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hilarm_model::{AllowList, AllowRuleType, InvalidRange, RangeRule, RangeRuleType, SecurityGroup};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::duration;
use crate::service::HubError;

const RANGE_SUFFIX: &str = "NotInAllowedRange";
const DEFAULT_WINDOW: &str = "PT15M";

/// A group with every rule that its body stated, the disabled ones too.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredGroup {
    ranges: BTreeMap<RangeRuleType, StoredRange>,
    allow_lists: BTreeMap<AllowRuleType, StoredAllowList>,
}

#[derive(Clone, Debug)]
struct StoredRange {
    /// Where it stood in the body.
    at: String,
    enabled: bool,
    min: u64,
    max: u64,
    /// As written.
    window: String,
}

#[derive(Clone, Debug, Default)]
struct StoredAllowList {
    /// Where it stood in the body.
    at: String,
    enabled: bool,
    values: Vec<String>,
}

impl Default for StoredRange {
    fn default() -> Self {
        Self { at: String::new(), enabled: false, min: 0, max: 0, window: DEFAULT_WINDOW.into() }
    }
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

/// What is wrong with the body of a security group, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct InvalidSecurityGroup {
    /// Path from the root of the body, e.g. `properties.timeWindowRules[0].timeWindowSize`.
    pub at: String,
    /// Why it is refused.
    pub why: String,
}

impl From<InvalidSecurityGroup> for HubError {
    fn from(invalid: InvalidSecurityGroup) -> Self {
        Self::ArgumentInvalid(invalid.to_string())
    }
}

/// Reads the body of a security group, such as one exported from Azure, exactly as the hub does: sparse or
/// whole. Answers with its enabled rules; the disabled ones are judged, too.
///
/// # Errors
/// What the hub would refuse, and where it stands.
pub fn read_security_group(json: &Value) -> Result<SecurityGroup, InvalidSecurityGroup> {
    StoredGroup::read(json)?.enabled()
}

fn invalid(at: &str, why: impl ToString) -> InvalidSecurityGroup {
    InvalidSecurityGroup { at: at.to_owned(), why: why.to_string() }
}

/// The name that serde gives a rule type.
fn name_of(rule: impl Serialize) -> String {
    serde_json::to_value(rule).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn range_type(name: &str) -> Option<RangeRuleType> {
    let stem = name.strip_suffix(RANGE_SUFFIX)?;
    RangeRuleType::ALL.into_iter().find(|rule| name_of(rule) == stem)
}

fn allow_type(name: &str) -> Option<AllowRuleType> {
    AllowRuleType::ALL.into_iter().find(|rule| name_of(rule) == name)
}

fn is_of_networks(rule: AllowRuleType) -> bool {
    matches!(rule, AllowRuleType::ConnectionToIpNotAllowed | AllowRuleType::ConnectionFromIpNotAllowed)
}

/// The rules of one kind, each with its place; there may be none.
fn rules<'a>(
    properties: &'a Value,
    key: &str,
) -> Result<impl Iterator<Item = (String, &'a Value)>, InvalidSecurityGroup> {
    let at = format!("properties.{key}");
    let rules = match properties.get(key) {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(rules)) => rules,
        Some(_) => return Err(invalid(&at, "is no list of rules")),
    };
    Ok(rules.iter().enumerate().map(move |(number, rule)| (format!("{at}[{number}]"), rule)))
}

fn decode<'a, T: Deserialize<'a>>(at: &str, rule: &'a Value) -> Result<T, InvalidSecurityGroup> {
    T::deserialize(rule).map_err(|why| invalid(at, why))
}

impl StoredGroup {
    pub(super) fn read(json: &Value) -> Result<Self, InvalidSecurityGroup> {
        let properties = json.get("properties").filter(|properties| properties.is_object());
        let properties = properties.ok_or_else(|| invalid("properties", "is missing, or no object"))?;
        for key in ["thresholdRules", "denylistRules"] {
            if let Some((at, rule)) = rules(properties, key)?.next() {
                let RawNamed { rule_type } = decode(&at, rule)?;
                return Err(invalid(&at, format!("there is no such rule as {rule_type:?}")));
            }
        }
        let mut group = Self::default();
        for (at, rule) in rules(properties, "timeWindowRules")? {
            group.add_range(&at, decode(&at, rule)?)?;
        }
        for (at, rule) in rules(properties, "allowlistRules")? {
            group.add_allow_list(&at, decode(&at, rule)?)?;
        }
        Ok(group)
    }

    fn add_range(&mut self, at: &str, raw: RawRange) -> Result<(), InvalidSecurityGroup> {
        let known = range_type(&raw.rule_type);
        let rule = known.ok_or_else(|| unknown_rule(at, "time window", &raw.rule_type))?;
        let window = raw.time_window_size.unwrap_or_else(|| DEFAULT_WINDOW.into());
        let (enabled, min, max) = (raw.is_enabled, raw.min_threshold, raw.max_threshold);
        let stored = StoredRange { at: at.to_owned(), enabled, min, max, window };
        match self.ranges.insert(rule, stored) {
            None => Ok(()),
            Some(_) => Err(invalid(at, format!("{} is there twice", raw.rule_type))),
        }
    }

    fn add_allow_list(&mut self, at: &str, raw: RawAllowList) -> Result<(), InvalidSecurityGroup> {
        let known = allow_type(&raw.rule_type);
        let rule = known.ok_or_else(|| unknown_rule(at, "allow list", &raw.rule_type))?;
        let stored =
            StoredAllowList { at: at.to_owned(), enabled: raw.is_enabled, values: raw.allowlist_values };
        match self.allow_lists.insert(rule, stored) {
            None => Ok(()),
            Some(_) => Err(invalid(at, format!("{} is there twice", raw.rule_type))),
        }
    }

    /// The enabled rules; every rule is judged, the disabled ones too.
    pub(super) fn enabled(&self) -> Result<SecurityGroup, InvalidSecurityGroup> {
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
    pub(super) fn of(group: &SecurityGroup) -> Self {
        let ranges = group.ranges.iter().map(|(rule, range)| {
            let window = format!("PT{}S", range.window().as_secs());
            let (min, max) = (range.min(), range.max());
            (*rule, StoredRange { enabled: true, min, max, window, ..StoredRange::default() })
        });
        let allow_lists = group.allow_lists.iter().map(|(rule, list)| {
            let values = match list {
                AllowList::Networks(networks) => networks.iter().map(ToString::to_string).collect(),
                AllowList::Names(names) => names.clone(),
            };
            (*rule, StoredAllowList { enabled: true, values, ..StoredAllowList::default() })
        });
        Self { ranges: ranges.collect(), allow_lists: allow_lists.collect() }
    }

    pub(super) fn to_json(&self) -> Value {
        let ranges = RangeRuleType::ALL.map(|rule| {
            let stored = self.ranges.get(&rule).cloned().unwrap_or_default();
            json!({
                "ruleType": format!("{}{RANGE_SUFFIX}", name_of(rule)),
                "isEnabled": stored.enabled,
                "minThreshold": stored.min,
                "maxThreshold": stored.max,
                "timeWindowSize": stored.window,
            })
        });
        let allow_lists = AllowRuleType::ALL.map(|rule| {
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

fn unknown_rule(at: &str, kind: &str, name: &str) -> InvalidSecurityGroup {
    invalid(&format!("{at}.ruleType"), format!("there is no {kind} rule {name:?}"))
}

impl StoredRange {
    fn rule(&self) -> Result<RangeRule, InvalidSecurityGroup> {
        let window_at = format!("{}.timeWindowSize", self.at);
        let window = duration::parse(&self.window);
        let window =
            window.ok_or_else(|| invalid(&window_at, format!("{:?} is no duration", self.window)))?;
        RangeRule::new(self.min, self.max, window).map_err(|why| match why {
            InvalidRange::MinAboveMax { .. } => invalid(&format!("{}.minThreshold", self.at), why),
            InvalidRange::EmptyWindow => invalid(&window_at, why),
        })
    }
}

impl StoredAllowList {
    fn list(&self, rule: AllowRuleType) -> Result<AllowList, InvalidSecurityGroup> {
        if !is_of_networks(rule) {
            return Ok(AllowList::Names(self.values.clone()));
        }
        let network = |(number, text): (usize, &String)| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Into::into));
            let at = || format!("{}.allowlistValues[{number}]", self.at);
            network.map_err(|_| invalid(&at(), format!("{text:?} is no network")))
        };
        self.values.iter().enumerate().map(network).collect::<Result<_, _>>().map(AllowList::Networks)
    }
}
