//! What must come of it: proof, expectations, controls.

use std::collections::BTreeSet;

use super::Lint;
use crate::draft;
use crate::node::Node;
use crate::problem::Problem;
use crate::schema::{ExpectedAlert, Proof};

impl Lint<'_> {
    pub(super) fn outcome(&mut self) {
        for proof in draft::items::<Proof>(self.root, &["proof"], self.report) {
            self.event(&proof.value.event, proof.node);
        }
        for alert in draft::items::<ExpectedAlert>(self.root, &["expect", "alerts"], self.report) {
            self.optional_device(alert.value.device.as_ref(), alert.node.range_of("device"));
        }
        self.detects();
        self.controls();
    }

    fn detects(&mut self) {
        let alerts = draft::at(self.root, &["expect", "alerts"]).map(Node::items).unwrap_or_default();
        let expected: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert.get("alert")?.text()).collect();
        for slug in self.root.get("detects").map(Node::items).unwrap_or_default() {
            if let Some(name) = slug.text().filter(|name| !expected.contains(name))
                && self.report.is_sound(slug)
            {
                let problem = Problem::DetectsUnexpected { slug: name.to_owned() };
                self.report.add(slug.range.clone(), problem);
            }
        }
    }

    fn controls(&mut self) {
        for control in self.root.get("controls").map(Node::entries).unwrap_or_default() {
            if control.value.text().is_some_and(|reason| reason.trim().is_empty())
                && self.report.is_sound(&control.value)
            {
                self.report.add(control.key_range.clone(), Problem::NoReason);
            }
        }
    }
}
