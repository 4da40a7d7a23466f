//! The hub's network rules: who may connect at all. `networkRuleSets` state a default action; the older
//! `ipFilterRules` let in whomever no rule names. They are judged before any credential.

use std::net::IpAddr;

use hilarm_model::{FilterAction, FilterRule, HubEvent, NetworkRules, Now};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::Core;
use crate::service::{HubError, ServiceReply};

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Network {
    rules: NetworkRules,
}

impl Network {
    /// The rules in force.
    pub(super) fn rules(&self) -> &NetworkRules {
        &self.rules
    }

    /// The first rule that covers the address decides, else the default action.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let rule = self.rules.rules.iter().find(|rule| rule.covers(address));
        rule.map_or(self.rules.default_action, |rule| rule.action) == FilterAction::Allow
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRules {
    network_rule_sets: Option<RawRuleSets>,
    #[serde(default)]
    ip_filter_rules: Vec<RawFilter<OlderAction>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRuleSets {
    #[serde(default = "deny")]
    default_action: Action,
    #[serde(default)]
    ip_rules: Vec<RawFilter<Action>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFilter<A> {
    filter_name: String,
    action: A,
    ip_mask: String,
}

#[derive(Clone, Copy, Deserialize)]
enum Action {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Deserialize)]
enum OlderAction {
    Accept,
    Reject,
}

/// Azure's default in `networkRuleSets`.
fn deny() -> Action {
    Action::Deny
}

impl From<Action> for FilterAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::Deny => Self::Deny,
        }
    }
}

impl From<OlderAction> for FilterAction {
    fn from(action: OlderAction) -> Self {
        match action {
            OlderAction::Accept => Self::Allow,
            OlderAction::Reject => Self::Deny,
        }
    }
}

impl<A: Into<FilterAction>> RawFilter<A> {
    fn rule(self) -> Result<FilterRule, HubError> {
        let mask = &self.ip_mask;
        let network = mask.parse().or_else(|_| mask.parse::<IpAddr>().map(Into::into));
        let network =
            network.map_err(|_| HubError::ArgumentInvalid(format!("ipMask {mask:?} is no network")))?;
        Ok(FilterRule { name: self.filter_name, action: self.action.into(), network })
    }
}

/// The rules that the hub's properties state.
pub(super) fn read(properties: &Value) -> Result<NetworkRules, HubError> {
    let raw = RawRules::deserialize(properties).map_err(|why| HubError::ArgumentInvalid(why.to_string()))?;
    match raw.network_rule_sets {
        Some(sets) => {
            let rules = sets.ip_rules.into_iter().map(RawFilter::rule).collect::<Result<_, _>>()?;
            Ok(NetworkRules { default_action: sets.default_action.into(), rules, stated: true })
        }
        None => {
            let rules = raw.ip_filter_rules.into_iter().map(RawFilter::rule);
            let rules = rules.collect::<Result<_, _>>()?;
            Ok(NetworkRules { default_action: FilterAction::Allow, rules, stated: false })
        }
    }
}

/// The rules as properties of the hub.
pub(super) fn write(rules: &NetworkRules) -> Value {
    let filter = |rule: &FilterRule| {
        let action = match (rule.action, rules.stated) {
            (FilterAction::Allow, true) => "Allow",
            (FilterAction::Deny, true) => "Deny",
            (FilterAction::Allow, false) => "Accept",
            (FilterAction::Deny, false) => "Reject",
        };
        json!({ "filterName": rule.name, "action": action, "ipMask": rule.network.to_string() })
    };
    let filters: Vec<Value> = rules.rules.iter().map(filter).collect();
    if !rules.stated {
        return json!({ "ipFilterRules": filters });
    }
    let default_action = if rules.default_action == FilterAction::Allow { "Allow" } else { "Deny" };
    json!({ "networkRuleSets": { "defaultAction": default_action, "ipRules": filters } })
}

impl Core {
    /// The rules hold for connections to come; those that are up stay.
    pub(in crate::core) fn set_network_rules(&mut self, rules: NetworkRules, now: Now) -> ServiceReply {
        self.record(HubEvent::NetworkRulesChanged(rules.clone()), now);
        self.management.network = Network { rules };
        ServiceReply::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(json: Value) -> Network {
        Network { rules: read(&json).unwrap() }
    }

    fn admits(network: &Network, address: &str) -> bool {
        network.admits(address.parse().unwrap())
    }

    #[test]
    fn the_first_rule_that_covers_an_address_decides() {
        let rule = |name: &str, action: &str, mask: &str| json!({"filterName": name, "action": action, "ipMask": mask});
        let rules = [rule("office", "Accept", "198.51.100.7"), rule("rest", "Reject", "198.51.100.0/24")];
        let network = network(json!({"ipFilterRules": rules}));
        assert!(admits(&network, "198.51.100.7"));
        assert!(!admits(&network, "198.51.100.8"));
        assert!(!admits(&network, "::ffff:198.51.100.8"), "a mapped address is the address");
        assert!(admits(&network, "203.0.113.1"), "the older model lets the rest in");
    }

    #[test]
    fn rule_sets_keep_out_whom_no_rule_names() {
        let allow = json!([{"filterName": "plant", "action": "Allow", "ipMask": "10.42.0.0/24"}]);
        let network = network(json!({"networkRuleSets": {"ipRules": allow}}));
        assert!(admits(&network, "10.42.0.2") && !admits(&network, "10.43.0.2"));
        let text = write(&network.rules).to_string();
        assert!(text.contains(r#""defaultAction":"Deny""#), "{text}");
    }

    #[test]
    fn networks_overlap_and_hold_ipv6_and_ipv4_mapped_addresses() {
        let rule = |action: &str, mask: &str| json!({"filterName": mask, "action": action, "ipMask": mask});
        let rules = [
            rule("Deny", "::ffff:10.42.0.0/112"),
            rule("Allow", "10.0.0.0/8"),
            rule("Deny", "2001:db8:1::/48"),
            rule("Allow", "2001:db8::/32"),
            rule("Allow", "::ffff:192.0.2.7"),
        ];
        let network = network(json!({"networkRuleSets": {"ipRules": rules}}));
        for (address, admitted) in [
            ("10.42.0.1", false),
            ("::ffff:10.42.255.255", false),
            ("10.43.0.0", true),
            ("2001:db8:1::5", false),
            ("2001:db8:2::5", true),
            ("192.0.2.7", true),
            ("::ffff:192.0.2.8", false),
        ] {
            assert_eq!(admits(&network, address), admitted, "{address}");
        }
    }

    #[test]
    fn without_rules_everybody_is_let_in() {
        assert!(admits(&Network::default(), "203.0.113.1"));
        assert!(admits(&network(json!({})), "2001:db8::1"));
    }

    #[test]
    fn a_mask_or_action_that_is_none_is_refused() {
        let one = |action: &str, mask: &str| {
            let rules = [json!({"filterName": "x", "action": action, "ipMask": mask})];
            read(&json!({"ipFilterRules": rules})).map_err(|why| why.code())
        };
        assert!(one("Accept", "10.0.0.0/8").is_ok());
        assert_eq!(one("Accept", "10.0.0.0/33"), Err(400_004));
        assert_eq!(one("Allow", "10.0.0.0/8"), Err(400_004));
    }
}
