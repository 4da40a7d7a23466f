//! Rules of a security group: allowed ranges and allow lists. Which of the two a rule is follows from the
//! alert that it enables, so the JSON schema offers each alert the form of its own.

use hilarm_model::AllowList;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::format;
use crate::duration::Span;

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RuleSpec {
    /// A range of a count.
    Range(RangeSpec),
    /// Networks that connections may lead to or come from.
    Networks(NetworksSpec),
    /// Users or executables.
    Names(NamesSpec),
}

/// An allowed range of a count in a tumbling window, both ends inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeSpec {
    /// Smallest allowed count, 0 by default.
    #[serde(default)]
    pub min: u64,
    /// Greatest allowed count.
    pub max: u64,
    /// Length of the window.
    pub window: Span,
}

/// Allowed networks; an empty list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworksSpec {
    /// Addresses and CIDRs.
    #[serde(deserialize_with = "format::deserialize_networks")]
    #[schemars(schema_with = "format::networks")]
    pub networks: Vec<IpNet>,
}

/// Allowed names; an empty list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamesSpec {
    /// Users, or executables by path or base name.
    pub names: Vec<String>,
}

impl RuleSpec {
    /// The range, if it is one.
    pub fn range_mut(&mut self) -> Option<&mut RangeSpec> {
        match self {
            Self::Range(range) => Some(range),
            Self::Networks(_) | Self::Names(_) => None,
        }
    }

    /// The allow list, if it is one.
    pub fn allow_list(&self) -> Option<AllowList> {
        match self {
            Self::Range(_) => None,
            Self::Networks(allowed) => Some(AllowList::Networks(allowed.networks.clone())),
            Self::Names(allowed) => Some(AllowList::Names(allowed.names.clone())),
        }
    }
}

/// All keys of all forms: one of them decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    min: Option<u64>,
    max: Option<u64>,
    window: Option<Span>,
    networks: Option<Vec<String>>,
    names: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for RuleSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw { min, max: Some(max), window: Some(window), networks: None, names: None } => {
                Ok(Self::Range(RangeSpec { min: min.unwrap_or_default(), max, window }))
            }
            Raw { min: None, max: None, window: None, networks: Some(networks), names: None } => {
                let networks = format::read_networks(&networks).map_err(D::Error::custom)?;
                Ok(Self::Networks(NetworksSpec { networks }))
            }
            Raw { min: None, max: None, window: None, networks: None, names: Some(names) } => {
                Ok(Self::Names(NamesSpec { names }))
            }
            _ => Err(D::Error::custom("expected `max` and `window`, or `networks`, or `names`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_written_back() {
        for json in [
            r#"{"min":1,"max":3,"window":"5m"}"#,
            r#"{"networks":["10.42.0.0/16","203.0.113.7/32"]}"#,
            r#"{"names":["root"]}"#,
        ] {
            let rule: RuleSpec = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&rule).unwrap(), json);
        }
    }

    #[test]
    fn a_mixture_is_refused() {
        for json in [r#"{"max":3,"window":"5m","names":[]}"#, r#"{"max":3}"#, "{}", r#"{"networks":["x"]}"#] {
            assert!(serde_json::from_str::<RuleSpec>(json).is_err(), "{json}");
        }
    }
}
