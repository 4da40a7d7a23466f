//! The world before the scenario begins.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use hilarm_model::{InvalidRange, RangeRule};

use super::Lint;
use crate::draft::{self, Part};
use crate::node::Node;
use crate::problem::Problem;
use crate::schema::{Auth, DeviceSpec, RangeSpec, X509Auth, format};

/// 10.42.0.2 to 10.42.0.254: the rest of the device network is its gateway, itself and its broadcast.
const DEVICES_MAX: usize = 253;

/// The group of devices whose twin names none.
const DEFAULT_GROUP: &str = "default";

impl Lint<'_> {
    pub(super) fn world(&mut self) {
        self.schema_version();
        self.device_count();
        let devices = draft::values::<DeviceSpec>(self.root, &["devices"], self.report);
        for (_, device) in &devices {
            self.device_spec(device);
        }
        self.security_groups();
        self.threat_intelligence();
        self.network();
    }

    fn schema_version(&mut self) {
        if let Some(version) = self.root.get("schema")
            && let Some(found) = version.text().filter(|text| *text != "1")
            && self.report.is_sound(version)
        {
            self.report.add(version.range.clone(), Problem::SchemaVersion { found: found.to_owned() });
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

    fn device_spec(&mut self, device: &Part<'_, DeviceSpec>) {
        if let Auth::X509(x509) = &device.value.auth
            && let Some(node) = draft::at(device.node, &["auth", "x509"])
        {
            self.x509(x509, node);
        }
        if let Some(group) = &device.value.security_group {
            let mut known = draft::keys(self.root, &["hub", "security_groups"]);
            known.insert(DEFAULT_GROUP);
            if !known.contains(group.as_str()) {
                self.unknown_name("security group", group, &known, device.node.range_of("security_group"));
            }
        }
    }

    fn x509(&mut self, x509: &X509Auth, node: &Node) {
        self.certificate(&x509.primary, node.range_of("primary"));
        if let Some(secondary) = &x509.secondary {
            self.certificate(secondary, node.range_of("secondary"));
        }
    }

    fn security_groups(&mut self) {
        let groups = draft::at(self.root, &["hub", "security_groups"]).map(Node::entries).unwrap_or_default();
        for group in groups {
            for (entry, range) in draft::values::<RangeSpec>(&group.value, &[], self.report) {
                let RangeSpec { min, max, window } = range.value;
                if let Err(error) = RangeRule::new(min, max, window.get()) {
                    let part = match error {
                        InvalidRange::MinAboveMax { .. } => "min",
                        InvalidRange::EmptyWindow => "window",
                    };
                    self.report.add(entry.value.range_of(part), Problem::Range(error));
                }
            }
        }
    }

    fn threat_intelligence(&mut self) {
        let networks = self.root.get("threat_intelligence").map(Node::items).unwrap_or_default();
        for node in networks.iter().filter(|node| self.report.is_sound(node)).collect::<Vec<_>>() {
            if let Some(network) = node.text().and_then(format::network) {
                self.documentation(network, node.range.clone());
            }
        }
    }

    fn network(&mut self) {
        if let Some(network) = self.root.get("network") {
            self.loss(network);
        }
        let endpoints = draft::at(self.root, &["network", "endpoints"]).map(Node::entries).unwrap_or_default();
        for entry in endpoints {
            if let Ok(address) = entry.key.parse::<SocketAddrV4>() {
                self.documentation_address(*address.ip(), entry.key_range.clone());
            }
        }
    }

    /// A share of lost packets.
    pub(super) fn loss(&mut self, node: &Node) {
        let Some(loss) = node.get("loss_percent").filter(|loss| self.report.is_sound(loss)) else { return };
        if let Some(percent) = draft::part::<f64>(loss, self.report).map(|part| part.value)
            && !(0.0..=100.0).contains(&percent)
        {
            self.report.add(loss.range.clone(), Problem::Loss { percent });
        }
    }

    /// Addresses at which something listens.
    pub(super) fn endpoints(&self) -> BTreeSet<&str> {
        draft::keys(self.root, &["network", "endpoints"])
    }
}
