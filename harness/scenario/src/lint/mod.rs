//! What the shape of a file does not say: names that must exist, addresses that must be harmless, and the
//! rules that keep a scenario from proving nothing.

mod behaviour;
mod outcome;
mod steps;
mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

use hilarm_model::DeviceId;
use ipnet::{IpNet, Ipv4Net};

use crate::draft;
use crate::error::Report;
use crate::node::Node;
use crate::problem::Problem;
use crate::suggest::Suggestion;

/// Reports everything that keeps a file of that id from being a scenario that proves something.
pub(crate) fn check(id: &str, root: &Node, report: &mut Report) {
    let devices = draft::keys(root, &["devices"]);
    let certificates = draft::keys(root, &["certificates"]);
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

impl Lint<'_> {
    fn device(&mut self, device: &DeviceId, shown: Range<usize>) {
        if !self.devices.contains(device.as_str()) {
            self.unknown_name("device", device.as_str(), &self.devices.clone(), shown);
        }
    }

    fn optional_device(&mut self, device: Option<&DeviceId>, shown: Range<usize>) {
        if let Some(device) = device {
            self.device(device, shown);
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
        for outside in ["192.0.3.0/32", "192.0.2.0/23", "8.8.8.8/32", "203.0.112.255/32", "0.0.0.0/0", "2001:db8::/32"] {
            assert!(!is(outside), "{outside}");
        }
    }
}
