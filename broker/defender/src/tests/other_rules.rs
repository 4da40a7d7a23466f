//! A fold by other rules than the shipped ones.

use std::time::Duration;

use hilarm_model::HubRecord;
use hilarm_model::RefusalCause::SasInvalidSignature;

use super::fixture::{DEVICE, at, refused, registered};
use crate::{Alert, Deduplication, Defender, Entity, Rule, Scope, rules};

/// The alerts on refusals at these seconds when the rule of the slug is changed.
fn alerts_when(slug: &str, seconds: &[i64], change: impl Fn(&mut Rule)) -> Vec<Alert> {
    let changed = rules().map(|mut rule| {
        if rule.detection.slug == slug {
            change(&mut rule);
        }
        rule
    });
    let mut defender = Defender::with_rules(changed);
    let before = [(-10, registered(DEVICE, "default")), (0, hilarm_model::HubEvent::MonitoringStarted)];
    let refusals = seconds.iter().map(|second| (*second, refused(DEVICE, [SasInvalidSignature])));
    for (second, event) in before.into_iter().chain(refusals) {
        defender.handle(&HubRecord { at: at(second), event });
    }
    defender.alerts().to_vec()
}

#[test]
fn a_rule_that_is_not_there_raises_nothing_and_the_others_do() {
    let without = |slug: &'static str| rules().filter(move |rule| rule.detection.slug != slug);
    for (slug, raised) in [("sas-invalid-signature", 0), ("sas-expired", 1)] {
        let mut defender = Defender::with_rules(without(slug));
        defender.handle(&HubRecord { at: at(-1), event: registered(DEVICE, "default") });
        defender.handle(&HubRecord { at: at(0), event: hilarm_model::HubEvent::MonitoringStarted });
        defender.handle(&HubRecord { at: at(1), event: refused(DEVICE, [SasInvalidSignature]) });
        assert_eq!(defender.alerts().len(), raised, "without {slug}");
        assert_eq!(defender.considered("sas-invalid-signature"), raised as u64);
    }
}

#[test]
fn hits_are_alerts_as_the_rule_deduplicates_them() {
    let count = |deduplication| {
        let change = |rule: &mut Rule| rule.deduplication = deduplication;
        alerts_when("sas-invalid-signature", &[0, 10, 20], change).len()
    };
    assert_eq!(count(Deduplication::PerHit), 3);
    assert_eq!(count(Deduplication::Within(Duration::from_secs(20))), 2);
    assert_eq!(count(Deduplication::Within(Duration::from_secs(21))), 1);
}

#[test]
fn the_scope_of_the_row_decides_whom_an_alert_names() {
    let entity = |scope| {
        let change = |rule: &mut Rule| rule.detection.scope = scope;
        alerts_when("sas-invalid-signature", &[0], change).remove(0).entity
    };
    assert!(matches!(entity(Scope::Device), Entity::Device(device) if device.as_str() == DEVICE));
    assert_eq!(entity(Scope::Hub), Entity::Hub);
}
