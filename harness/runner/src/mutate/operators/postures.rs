//! Mutants of recommendations: one that never ends, and shared credentials that need one device more or less.

use std::collections::BTreeSet;

use hilarm_defender::{Boundary, Finding, Posture, RecommendationState, Rule, Trigger};
use hilarm_model::{DeviceId, HubEvent, Tuning};

use super::super::mutant::{Fold, Mutant};

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let Trigger::Posture { .. } = row.detection.trigger else { return Vec::new() };
    let never_resolved = Fold::of(row).recommending(|found| {
        found.iter_mut().for_each(|raised| raised.state = RecommendationState::Active);
    });
    let mut mutants = vec![Mutant::of_row(row, "never resolved", never_resolved)];
    if row.detection.boundary == Boundary::SharedCredentialCount {
        let by_one = Fold::of(row).changed(|rule| {
            if let Trigger::Posture { begin, .. } = &mut rule.detection.trigger {
                *begin = || Box::new(Alone::default());
            }
        });
        mutants.push(Mutant::of_row(row, "one device shares a credential", by_one));
        let by_three =
            Fold::of(row).recommending(|found| found.retain(|raised| raised.finding.devices.len() > 2));
        mutants.push(Mutant::of_row(row, "two devices share none", by_three));
    }
    mutants
}

/// Every registered device is weak, whomever it shares its credential with.
#[derive(Debug, Default)]
struct Alone(BTreeSet<DeviceId>);

impl Posture for Alone {
    fn see(&mut self, event: &HubEvent, _: Tuning) -> bool {
        match event {
            HubEvent::DeviceRegistered { device, .. } => self.0.insert(device.clone()),
            HubEvent::DeviceRemoved { device } => self.0.remove(device),
            _ => false,
        }
    }

    fn finding(&self, _: Tuning) -> Option<Finding> {
        (!self.0.is_empty()).then(|| Finding { devices: self.0.clone(), ..Finding::default() })
    }
}
