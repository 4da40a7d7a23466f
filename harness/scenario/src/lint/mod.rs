//! What the shape of a file does not say: names that must exist, addresses that must be harmless, and the
//! rules that keep a scenario from proving nothing.
//!
//! Works on the tree, not on the decoded scenario, so that it also checks files of which some part has not
//! the right shape; a part that was reported already is left alone.

mod behaviour;
mod outcome;
mod steps;
mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net};

use crate::error::Report;
use crate::node::{Entry, Node};
use crate::problem::Problem;
use crate::suggest::Suggestion;

pub use world::SERVICES;
pub(crate) use world::services_not_allowed;

/// Reports everything that keeps a file of that id from being a scenario that proves something.
pub(crate) fn check(id: &str, root: &Node, report: &mut Report) {
    let (devices, certificates) = (keys(root, &["devices"]), keys(root, &["certificates"]));
    let mut lint = Lint { id, root, devices, certificates, report };
    lint.world();
    lint.steps();
    lint.outcome();
}

struct Lint<'a> {
    id: &'a str,
    root: &'a Node,
    devices: BTreeSet<&'a str>,
    certificates: BTreeSet<&'a str>,
    report: &'a mut Report,
}

impl<'a> Lint<'a> {
    /// The text at a key, unless something is wrong with it.
    fn text<'n>(&self, node: &'n Node, key: &str) -> Option<(&'n str, Range<usize>)> {
        let value = node.get(key).filter(|value| self.report.is_sound(value))?;
        Some((value.text()?, value.range.clone()))
    }

    /// Whether the `device` of a part exists, if it names one.
    fn device_of(&mut self, node: &Node) {
        if let Some((device, shown)) = self.text(node, "device")
            && !self.devices.contains(device)
        {
            self.unknown_name("device", device, &self.devices.clone(), shown);
        }
    }

    /// The same where the hub's view counts: what it knows, accepts and records bears an identity.
    fn identity_in(&mut self, node: &Node) {
        self.device_of(node);
        if let Some((device, shown)) = self.text(node, "device")
            && let Some(identity) = at(self.root, &["devices", device, "identity"]).and_then(Node::text)
        {
            let (name, identity) = (device.to_owned(), identity.to_owned());
            self.report.add(shown, Problem::NotAnIdentity { name, identity });
        }
    }

    /// Whether the `module` of a part is one of its device's.
    fn module_of(&mut self, node: &Node) {
        let Some((module, shown)) = self.text(node, "module") else { return };
        let Some(device) = node.get("device").and_then(Node::text) else { return };
        let known: BTreeSet<&str> =
            self.items(&["devices", device, "modules"]).iter().filter_map(Node::text).collect();
        if self.devices.contains(device) && !known.contains(module) {
            self.unknown_name("module", module, &known, shown);
        }
    }

    /// Whether the `caller` of a step exists, if it names one.
    fn caller_of(&mut self, node: &Node) {
        if let Some((caller, shown)) = self.text(node, "caller") {
            let known = keys(self.root, &["callers"]);
            if !known.contains(caller) {
                self.unknown_name("caller", caller, &known, shown);
            }
        }
    }

    fn certificate(&mut self, name: &str, shown: Range<usize>) {
        if !self.certificates.contains(name) {
            self.unknown_name("certificate", name, &self.certificates.clone(), shown);
        }
    }

    fn unknown_name(&mut self, noun: &'static str, name: &str, known: &BTreeSet<&str>, shown: Range<usize>) {
        let suggestion = Suggestion::new(name, known.iter().copied());
        self.report.add(shown, Problem::UnknownName { noun, name: name.to_owned(), suggestion });
    }

    /// A scenario names only addresses that belong to nobody: on a board, the attack is real traffic.
    fn documentation(&mut self, network: IpNet, shown: Range<usize>) {
        if !is_documentation(network) {
            let single = network.prefix_len() == network.max_prefix_len();
            let address = if single { network.addr().to_string() } else { network.to_string() };
            self.report.add(shown, Problem::NotDocumentation { address });
        }
    }

    fn documentation_address(&mut self, address: impl Into<IpAddr>, shown: Range<usize>) {
        self.documentation(IpNet::from(address.into()), shown);
    }

    /// The entries of the map at a path from the root.
    fn entries(&self, path: &[&str]) -> &'a [Entry] {
        at(self.root, path).map(Node::entries).unwrap_or_default()
    }

    /// The items of the list at a path from the root.
    fn items(&self, path: &[&str]) -> &'a [Node] {
        at(self.root, path).map(Node::items).unwrap_or_default()
    }
}

fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

fn keys<'n>(root: &'n Node, path: &[&str]) -> BTreeSet<&'n str> {
    let entries = at(root, path).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// RFC 5737.
const DOCUMENTATION: [[u8; 4]; 3] = [[192, 0, 2, 0], [198, 51, 100, 0], [203, 0, 113, 0]];

fn is_documentation(network: IpNet) -> bool {
    let IpNet::V4(network) = network else { return false };
    let ranges = DOCUMENTATION.iter().filter_map(|range| Ipv4Net::new((*range).into(), 24).ok());
    ranges.into_iter().any(|range| range.contains(&network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_ranges_end_where_rfc_5737_says() {
        let is = |text: &str| is_documentation(text.parse().unwrap());
        for inside in ["192.0.2.0/24", "198.51.100.255/32", "203.0.113.64/26"] {
            assert!(is(inside), "{inside}");
        }
        let outside = ["192.0.3.0/32", "192.0.2.0/23", "8.8.8.8/32", "203.0.112.255/32", "0.0.0.0/0", "::/0"];
        for outside in outside {
            assert!(!is(outside), "{outside}");
        }
    }
}
