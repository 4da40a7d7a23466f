//! Mutants of recommendations: one that never ends, and shared credentials that need one device more or less.

use std::collections::BTreeSet;

use hilarm_defender::{Boundary, Finding, Posture, Rule, Trigger, recommendation_catalogue};
use hilarm_model::{DeviceId, HubEvent, Tuning};

use super::super::mutant::{Fold, Mutant};

type Begin = fn() -> Box<dyn Posture>;

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let slug = row.detection.slug;
    let Some(at) = recommendation_catalogue().iter().position(|known| known.slug == slug) else {
        return Vec::new();
    };
    let becomes = |change: &str, other: Begin| {
        let fold = Fold::of(row).changed(|rule| {
            if let Trigger::Posture { begin, .. } = &mut rule.detection.trigger {
                *begin = other;
            }
        });
        Mutant::of_row(row, change, fold)
    };
    let mut mutants = Vec::new();
    mutants.extend(NEVER_RESOLVED.get(at).map(|other| becomes("never resolved", *other)));
    if row.detection.boundary == Boundary::SharedCredentialCount {
        mutants.push(becomes("one device shares a credential", alone));
        if let Some(other) = AT_LEAST_THREE.get(at) {
            mutants.push(becomes("two devices share none", *other));
        }
    }
    mutants
}

/// By place in the catalogue: a posture begins without knowing whose it is.
const NEVER_RESOLVED: [Begin; 4] =
    [never_resolved::<0>, never_resolved::<1>, never_resolved::<2>, never_resolved::<3>];
const AT_LEAST_THREE: [Begin; 1] = [at_least_three::<0>];

fn never_resolved<const PLACE: usize>() -> Box<dyn Posture> {
    Box::new(NeverResolved { original: original(PLACE), found: None })
}

fn at_least_three<const PLACE: usize>() -> Box<dyn Posture> {
    Box::new(AtLeastThree(original(PLACE)))
}

fn alone() -> Box<dyn Posture> {
    Box::new(Alone::default())
}

fn original(place: usize) -> Box<dyn Posture> {
    match recommendation_catalogue().get(place).map(|row| &row.trigger) {
        Some(Trigger::Posture { begin, .. }) => begin(),
        _ => Box::new(Alone::default()),
    }
}

/// What was weak once is weak for ever.
#[derive(Debug)]
struct NeverResolved {
    original: Box<dyn Posture>,
    found: Option<Finding>,
}

impl Posture for NeverResolved {
    fn see(&mut self, event: &HubEvent, tuning: Tuning) -> bool {
        let changed = self.original.see(event, tuning);
        self.found = self.original.finding(tuning).or_else(|| self.found.take());
        changed
    }

    fn finding(&self, tuning: Tuning) -> Option<Finding> {
        self.original.finding(tuning).or_else(|| self.found.clone())
    }
}

/// Two devices are too few.
#[derive(Debug)]
struct AtLeastThree(Box<dyn Posture>);

impl Posture for AtLeastThree {
    fn see(&mut self, event: &HubEvent, tuning: Tuning) -> bool {
        self.0.see(event, tuning)
    }

    fn finding(&self, tuning: Tuning) -> Option<Finding> {
        self.0.finding(tuning).filter(|found| found.devices.len() > 2)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_a_place_for_each_recommendation() {
        let slugs: Vec<_> = recommendation_catalogue().iter().map(|row| row.slug).collect();
        assert_eq!(slugs.len(), NEVER_RESOLVED.len());
        assert_eq!(slugs[0], "identical-credentials");
    }
}
