//! What happens.

use super::{Lint, keys};
use crate::node::Node;
use crate::problem::Problem;
use crate::steps::Steps;

impl Lint<'_> {
    pub(super) fn steps(&mut self) {
        let steps = Steps::of(self.root);
        for step in &steps.leaves {
            self.device_of(step.body);
            self.module_of(step.body);
            match step.name {
                "behaviour" => self.behaviour(step.body),
                "wait_for" => self.event(step.body),
                "network" => self.loss(step.body),
                _ => {}
            }
        }
        self.attacks(&steps);
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
            self.device_of(&matched.value);
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
