//! What happens.

use super::Lint;
use crate::draft::{self, Leaf};
use crate::node::Node;
use crate::problem::Problem;
use crate::schema::{EventMatch, Step};

impl Lint<'_> {
    pub(super) fn steps(&mut self) {
        let steps = draft::steps(self.root, self.report);
        for leaf in &steps.leaves {
            self.step(leaf);
        }
        let campaign = self.id.starts_with("campaigns/");
        for (index, attack) in steps.attacks.iter().enumerate() {
            if attack.nested {
                self.report.add(attack.key_range.clone(), Problem::NestedMalicious);
            } else if index > 0 && !campaign {
                self.report.add(attack.key_range.clone(), Problem::SecondMalicious);
            }
        }
        let proven = self.root.get("proof").is_some_and(|proof| !proof.items().is_empty());
        if let Some(attack) = steps.attacks.first().filter(|_| !proven) {
            self.report.add(attack.key_range.clone(), Problem::NoProof);
        }
    }

    fn step(&mut self, leaf: &Leaf<'_>) {
        let body = leaf.body;
        let device = match &leaf.step {
            Step::Connect(step) | Step::Reconnect(step) => Some(&step.device),
            Step::Disconnect(step) | Step::ReadTwin(step) => Some(&step.device),
            Step::Behaviour(step) => {
                self.behaviour(step, body);
                Some(&step.device)
            }
            Step::StopBehaviour(step) => Some(&step.device),
            Step::SendTelemetry(step) => Some(&step.device),
            Step::ReportProperties(step) | Step::PatchDesired(step) => Some(&step.device),
            Step::InvokeMethod(step) => Some(&step.device),
            Step::SendCloudToDevice(step) => Some(&step.device),
            Step::WaitFor(step) => {
                self.event(&step.event, body);
                None
            }
            Step::Network(step) => {
                self.loss(body);
                step.device.as_ref()
            }
            Step::RunFor(_) | Step::Advance(_) => None,
            Step::Malicious(_) | Step::Parallel(_) | Step::Repeat(_) => None,
        };
        self.optional_device(device, body.range_of("device"));
    }

    /// The event of `wait_for` or `proof`, which stands in `around` as `event:`.
    pub(super) fn event(&mut self, event: &EventMatch, around: &Node) {
        let fields = around.get("event").and_then(|event| event.entries().first()).map(|entry| &entry.value);
        let Some(fields) = fields else { return };
        let device = match event {
            EventMatch::ConnectionAccepted(by)
            | EventMatch::ConnectionClosed(by)
            | EventMatch::TelemetryReceived(by)
            | EventMatch::SecurityMessageReceived(by)
            | EventMatch::TwinUpdated(by)
            | EventMatch::TwinRead(by)
            | EventMatch::CloudToDeviceCompleted(by) => by.device.as_ref(),
            EventMatch::ConnectionRefused(refused) => refused.device.as_ref(),
            EventMatch::FlowReported(flow) | EventMatch::NetworkConnected(flow) => flow.device.as_ref(),
            EventMatch::DirectMethodInvoked(method) => method.device.as_ref(),
            EventMatch::AdversaryReceived(received) => {
                if let Some(endpoint) = received.endpoint {
                    self.listening(&endpoint.to_string(), fields);
                }
                None
            }
        };
        self.optional_device(device, fields.range_of("device"));
    }

    fn listening(&mut self, endpoint: &str, fields: &Node) {
        let known = self.endpoints();
        if !known.contains(endpoint) {
            let known = known.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let known = known.iter().map(String::as_str).collect();
            self.unknown_name("endpoint", endpoint, &known, fields.range_of("endpoint"));
        }
    }
}
