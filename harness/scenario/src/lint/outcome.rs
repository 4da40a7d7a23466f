//! What must come of it: proof, expectations, controls.

use std::collections::{BTreeMap, BTreeSet};

use hilarm_defender::Scope;

use super::{Lint, at};
use crate::node::Node;
use crate::problem::Problem;

impl Lint<'_> {
    pub(super) fn outcome(&mut self) {
        for proof in self.items(&["proof"]) {
            self.event(proof);
        }
        self.alerts();
        self.recommendations();
        self.detects();
        self.controls();
    }

    fn alerts(&mut self) {
        let mut first_lines = BTreeMap::new();
        for alert in self.items(&["expect", "alerts"]) {
            self.identity_in(alert);
            let Some((slug, shown)) = self.text(alert, "alert") else { continue };
            self.subject(slug, alert);
            let line = self.report.line(shown.start);
            let first_line =
                *first_lines.entry((slug, alert.get("device").and_then(Node::text))).or_insert(line);
            if first_line != line {
                let problem = Problem::DuplicateAlert { slug: slug.to_owned(), first_line };
                self.report.add(shown, problem);
            }
        }
    }

    fn recommendations(&mut self) {
        for expected in self.items(&["expect", "recommendations"]) {
            for device in expected.get("devices").map(Node::items).unwrap_or_default() {
                if let Some(name) = device.text().filter(|name| !self.devices.contains(name)) {
                    self.unknown_name("device", name, &self.devices.clone(), device.range.clone());
                }
            }
        }
    }

    fn subject(&mut self, slug: &str, alert: &Node) {
        let about_devices =
            hilarm_defender::detection(slug).is_some_and(|known| known.scope == Scope::Device);
        if about_devices && alert.get("device").is_none() && self.report.is_sound(alert) {
            let problem = Problem::NoSubject { slug: slug.to_owned() };
            self.report.add(alert.range_of("alert"), problem);
        }
    }

    fn detects(&mut self) {
        let alerts = at(self.root, &["expect", "alerts"]);
        // An expectation that could not be read may be the one.
        if self.root.get("expect").is_none() || alerts.is_some_and(|alerts| !self.report.is_sound(alerts)) {
            return;
        }
        let alerts = self.items(&["expect", "alerts"]).iter().filter_map(|alert| alert.get("alert")?.text());
        let recommendations = self.items(&["expect", "recommendations"]).iter();
        let recommendations = recommendations.filter_map(|expected| expected.get("recommendation")?.text());
        let expected: BTreeSet<&str> = alerts.chain(recommendations).collect();
        for slug in
            self.items(&["detects"]).iter().filter(|slug| self.report.is_sound(slug)).collect::<Vec<_>>()
        {
            if let Some(name) = slug.text().filter(|name| !expected.contains(name)) {
                let problem = Problem::DetectsUnexpected { slug: name.to_owned() };
                self.report.add(slug.range.clone(), problem);
            }
        }
    }

    fn controls(&mut self) {
        for control in self.entries(&["controls"]) {
            if control.value.text().is_some_and(|reason| reason.trim().is_empty())
                && self.report.is_sound(&control.value)
            {
                self.report.add(control.key_range.clone(), Problem::NoReason);
            }
        }
    }
}
