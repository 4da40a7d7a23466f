//! What happens.

use std::collections::BTreeSet;

use super::{Lint, keys};
use crate::node::Node;
use crate::problem::Problem;
use crate::steps::Steps;

/// What `put_certificate` calls bytes that are no certificate.
const INVALID_CERTIFICATE: &str = "invalid";

/// Steps that a device carries out, or its link; the hub knows nothing of them.
const ON_DEVICE: [&str; 11] = [
    "connect",
    "disconnect",
    "reconnect",
    "behaviour",
    "stop_behaviour",
    "send_telemetry",
    "receive_https",
    "upload_file",
    "read_twin",
    "report_properties",
    "network",
];

/// The one event that tells which device it was, whoever the hub takes it for.
const NETWORK_TRUTH: &str = "network_connected";

impl Lint<'_> {
    pub(super) fn steps(&mut self) {
        let steps = Steps::of(self.root);
        for step in &steps.leaves {
            if ON_DEVICE.contains(&step.name) {
                self.device_of(step.body);
            } else {
                self.identity_in(step.body);
            }
            self.module_of(step.body);
            self.caller_of(step.body);
            match step.name {
                "behaviour" => self.behaviour(step.body),
                "wait_for" => self.event(step.body),
                "copy_key" => self.key_owner(step.body),
                "network" => self.loss(step.body),
                "put_certificate" => self.hub_certificate(step.body),
                "verify_certificate" => self.signer(step.body),
                "put_security_group" => {
                    self.group_source(step.body);
                    self.group(step.body.get("rules"));
                }
                "load_threat_intelligence" => self.threats(step.body.get("networks")),
                _ => {}
            }
        }
        self.attacks(&steps);
    }

    fn key_owner(&mut self, step: &Node) {
        if let Some((owner, shown)) = self.text(step, "from")
            && !self.devices.contains(owner)
        {
            self.unknown_name("device", owner, &self.devices.clone(), shown);
        }
    }

    /// Rules or a file: neither would be a group that allows everything, both would contradict each other.
    fn group_source(&mut self, step: &Node) {
        let given = match (step.entry("rules"), step.entry("file")) {
            (Some(_), Some(_)) => "both",
            (None, None) if self.report.is_sound(step) => "neither",
            _ => return,
        };
        self.report.add(step.range_of("name"), Problem::GroupTwice { given });
    }

    /// A certificate of the scenario, or bytes that are none.
    fn hub_certificate(&mut self, step: &Node) {
        if let Some((name, shown)) = self.text(step, "certificate")
            && name != INVALID_CERTIFICATE
        {
            self.certificate(name, shown);
        }
    }

    /// What signs a proof is an authority, and an authority is what issues other certificates.
    fn signer(&mut self, step: &Node) {
        let certificates = self.entries(&["certificates"]).iter();
        let issuers = certificates.filter_map(|certificate| certificate.value.get("issued_by")?.text());
        let issuers: BTreeSet<&str> = issuers.collect();
        if let Some((name, shown)) = self.text(step, "signed_by")
            && !issuers.contains(name)
        {
            self.unknown_name("certificate authority", name, &issuers, shown);
        }
    }

    fn attacks(&mut self, steps: &Steps<'_>) {
        let campaign = self.id.starts_with("campaigns/");
        for (index, attack) in steps.attacks.iter().enumerate() {
            if attack.nested {
                self.report.add(attack.key_range.clone(), Problem::NestedMalicious);
            } else if index > 0 && !campaign {
                self.report.add(attack.key_range.clone(), Problem::SecondMalicious);
            }
        }
        if let Some(attack) = steps.attacks.first()
            && self.items(&["proof"]).is_empty()
        {
            self.report.add(attack.key_range.clone(), Problem::NoProof);
        }
    }

    /// The `event` of `wait_for` or `proof`.
    pub(super) fn event(&mut self, around: &Node) {
        for matched in around.get("event").map(Node::entries).unwrap_or_default() {
            if matched.key == NETWORK_TRUTH {
                self.device_of(&matched.value);
            } else {
                self.identity_in(&matched.value);
            }
            self.module_of(&matched.value);
            if let Some((endpoint, shown)) = self.text(&matched.value, "endpoint") {
                let listening = keys(self.root, &["network", "endpoints"]);
                if !listening.contains(endpoint) {
                    self.unknown_name("endpoint", endpoint, &listening, shown);
                }
            }
        }
    }
}
