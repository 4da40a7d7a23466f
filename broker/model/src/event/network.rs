//! Network rules of the hub, as facts tell them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// The hub's network rules, as the management plane holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRules {
    /// What happens to an address that no rule names.
    pub default_action: FilterAction,
    /// Rules in order; the first that covers an address decides.
    pub rules: Vec<FilterRule>,
    /// Whether `default_action` was stated (`networkRuleSets`) or is the older model's (`ipFilterRules`).
    pub stated: bool,
}

/// One network rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: FilterAction,
    /// Whom it covers.
    pub network: IpNet,
}

impl FilterRule {
    /// Whether it covers an address. An IPv4-mapped address is the IPv4 address, and a network of such
    /// addresses the IPv4 network (RFC 4291, 2.5.5.2).
    pub fn covers(&self, address: IpAddr) -> bool {
        let network = match self.network {
            IpNet::V6(mapped) => unmapped(mapped).map_or(self.network, IpNet::V4),
            IpNet::V4(_) => self.network,
        };
        network.contains(&address.to_canonical())
    }
}

fn unmapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let bits = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, bits).ok()
}

/// What a network rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterAction {
    /// Lets in.
    #[default]
    Allow,
    /// Keeps out.
    Deny,
}
