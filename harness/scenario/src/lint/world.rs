//! The world before the scenario begins.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use hilarm_model::{AllowList, AllowRuleType, InvalidRange, RangeRule, SecurityGroup};
use ipnet::IpNet;

use super::{Lint, at, keys};
use crate::node::Node;
use crate::problem::Problem;
use crate::schema::{RangeSpec, RuleSpec, format};
use crate::yaml;

/// 10.42.0.2 to 10.42.0.254: the rest of the device network is its gateway, itself and its broadcast.
const DEVICES_MAX: usize = 253;

/// Slug of the alert on addresses that a device may not talk to.
const OUTBOUND: &str = "outbound-connection-not-allowed";

/// What devices talk to that do nothing wrong, by fixed addresses of the virtual network.
pub const SERVICES: [(&str, Ipv4Addr); 4] = [
    ("the hub", Ipv4Addr::new(10, 77, 0, 10)),
    ("the name server", Ipv4Addr::new(10, 77, 0, 53)),
    ("the time server", Ipv4Addr::new(10, 77, 0, 123)),
    ("the gateway, which leases addresses", Ipv4Addr::new(10, 42, 0, 1)),
];

/// The group of devices whose twin names none.
const DEFAULT_GROUP: &str = "default";

/// The services of the virtual network that these rules, read from a file, would make suspect.
pub(crate) fn services_not_allowed(group: &SecurityGroup) -> Vec<String> {
    match group.allow_lists.get(&AllowRuleType::ConnectionToIpNotAllowed) {
        Some(AllowList::Networks(networks)) if !networks.is_empty() => services_outside(networks),
        _ => Vec::new(),
    }
}

fn services_outside(networks: &[IpNet]) -> Vec<String> {
    let left_out = |address: Ipv4Addr| !networks.iter().any(|network| network.contains(&IpAddr::V4(address)));
    let missing = SERVICES.iter().filter(|(_, address)| left_out(*address));
    missing.map(|(name, address)| format!("{name} ({address})")).collect()
}

impl Lint<'_> {
    pub(super) fn world(&mut self) {
        self.schema_version();
        self.boards();
        self.device_count();
        for entry in self.entries(&["devices"]) {
            self.device_spec(&entry.value);
            self.cloned_identity(&entry.key, &entry.value);
        }
        for group in self.entries(&["hub", "security_groups"]) {
            self.group(Some(&group.value));
        }
        for file in self.entries(&["hub", "security_group_files"]) {
            if keys(self.root, &["hub", "security_groups"]).contains(file.key.as_str()) {
                let problem = Problem::GroupElsewhere { name: file.key.clone() };
                self.report.add(file.key_range.clone(), problem);
            }
        }
        for certificate in self.entries(&["certificates"]) {
            if let Some((issuer, shown)) = self.text(&certificate.value, "issued_by") {
                self.certificate(issuer, shown);
            }
        }
        let verified = self.entries(&["hub", "certificates"]).iter();
        for certificate in verified.chain(self.entries(&["hub", "unverified_certificates"])) {
            if let Some(name) = certificate.value.text().filter(|_| self.report.is_sound(&certificate.value))
            {
                self.certificate(name, certificate.value.range.clone());
            }
        }
        self.threats(self.root.get("threat_intelligence"));
        for entry in self.entries(&["network", "endpoints"]) {
            if let Ok(address) = entry.key.parse::<SocketAddrV4>() {
                self.documentation_address(*address.ip(), entry.key_range.clone());
            }
        }
        if let Some(network) = self.root.get("network") {
            self.loss(network);
        }
    }

    fn schema_version(&mut self) {
        if let Some((found, shown)) = self.text(self.root, "schema")
            && found != "1"
        {
            self.report.add(shown, Problem::SchemaVersion { found: found.to_owned() });
        }
    }

    /// A board is left out for a reason.
    fn boards(&mut self) {
        let Some(boards) = self.root.get("boards") else { return };
        if let Some((reason, shown)) = self.text(boards, "reason")
            && reason.trim().is_empty()
        {
            self.report.add(shown, Problem::NoReason);
        }
    }

    fn device_count(&mut self) {
        let Some(entry) = self.root.entry("devices") else { return };
        let found = self.devices.len();
        if found == 0 && self.report.is_sound(&entry.value) {
            self.report.add(entry.key_range.clone(), Problem::NoDevices);
        }
        if found > DEVICES_MAX {
            self.report.add(entry.key_range.clone(), Problem::TooManyDevices { found, most: DEVICES_MAX });
        }
    }

    fn device_spec(&mut self, device: &Node) {
        if let Some(x509) = at(device, &["auth", "x509"]) {
            for role in ["primary", "secondary"] {
                if let Some((name, shown)) = self.text(x509, role) {
                    self.certificate(name, shown);
                }
            }
        }
        if let Some(by_authority) = at(device, &["auth", "x509_ca"])
            && let Some((name, shown)) = self.text(by_authority, "certificate")
        {
            self.certificate(name, shown);
        }
        if let Some((group, shown)) = self.text(device, "security_group") {
            let mut known = keys(self.root, &["hub", "security_groups"]);
            known.extend(keys(self.root, &["hub", "security_group_files"]));
            known.insert(DEFAULT_GROUP);
            if !known.contains(group) {
                self.unknown_name("security group", group, &known, shown);
            }
        }
    }

    /// A clone is one of a device that is none.
    fn cloned_identity(&mut self, name: &str, device: &Node) {
        let Some((identity, shown)) = self.text(device, "identity") else { return };
        if !self.devices.contains(identity) {
            self.unknown_name("device", identity, &self.devices.clone(), shown);
        } else if identity == name || at(self.root, &["devices", identity, "identity"]).is_some() {
            self.report.add(shown, Problem::IdentityOfNobody { name: name.to_owned() });
        }
    }

    /// The rules of a security group.
    pub(super) fn group(&mut self, group: Option<&Node>) {
        for rule in group.map(Node::entries).unwrap_or_default() {
            self.range(&rule.value);
            if rule.key == OUTBOUND {
                self.services(&rule.value);
            }
        }
    }

    /// A list of networks that forgets a service of the network would make every device suspect.
    fn services(&mut self, rule: &Node) {
        let Some(listed) = rule.get("networks").filter(|listed| !listed.items().is_empty()) else { return };
        let networks: Vec<IpNet> =
            listed.items().iter().filter_map(|item| format::network(item.text()?)).collect();
        let missing = services_outside(&networks);
        if !missing.is_empty() {
            self.report.add(listed.range.clone(), Problem::AllowListLacks { missing });
        }
    }

    /// Networks that threat intelligence names.
    pub(super) fn threats(&mut self, listed: Option<&Node>) {
        for listed in listed.map(Node::items).unwrap_or_default() {
            if let Some(network) = listed.text().and_then(format::network) {
                self.documentation(network, listed.range.clone());
            }
        }
    }

    fn range(&mut self, node: &Node) {
        if !self.report.is_sound(node) {
            return;
        }
        let Ok(RuleSpec::Range(RangeSpec { min, max, window })) = yaml::decode(node) else { return };
        if let Err(error) = RangeRule::new(min, max, window.get()) {
            let part = match error {
                InvalidRange::MinAboveMax { .. } => "min",
                InvalidRange::EmptyWindow => "window",
            };
            self.report.add(node.range_of(part), Problem::Range(error));
        }
    }

    /// A share of lost packets.
    pub(super) fn loss(&mut self, node: &Node) {
        if let Some((text, shown)) = self.text(node, "loss_percent")
            && let Ok(percent) = text.parse::<f64>()
            && !(0.0..=100.0).contains(&percent)
        {
            self.report.add(shown, Problem::Loss { percent });
        }
    }
}
