//! defender.md 5, Deduplication: one per (type, device, subject) per hour counted from the first hit.

use hilarm_model::RefusalCause::SasInvalidSignature;
use hilarm_model::Timestamp;

use super::fixture::{DEVICE, World, at, flow, refused, registered, report, threats};
use crate::{DEDUPLICATION, Entity};

const HOUR: i64 = DEDUPLICATION.as_secs() as i64;

#[test]
fn later_hits_within_the_hour_extend_the_end_and_the_count() {
    let mut world = World::with_sas_device();
    for seconds in [10, 20, 10 + HOUR - 1] {
        world.see(seconds, refused(DEVICE, [SasInvalidSignature]));
    }
    let alert = world.only("sas-invalid-signature");
    assert_eq!((alert.start, alert.end, alert.count), (at(10), at(10 + HOUR - 1), 3));
    assert_eq!(alert.raised_by, Some(2), "the first hit raised it");
}

#[test]
fn the_hour_runs_from_the_first_hit_and_exactly_at_its_end_a_new_alert_opens() {
    let mut world = World::with_sas_device();
    let last = Timestamp::from_micros(at(HOUR).as_micros() - 1);
    world.see(0, refused(DEVICE, [SasInvalidSignature]));
    world.see_at(last, refused(DEVICE, [SasInvalidSignature]));
    world.expect("sas-invalid-signature", 1);
    world.see(HOUR, refused(DEVICE, [SasInvalidSignature]));
    world.see(2 * HOUR - 1, refused(DEVICE, [SasInvalidSignature]));
    let alerts: Vec<_> = world.defender.alerts().iter().map(|a| (a.start, a.count, a.ordinal)).collect();
    assert_eq!(alerts, [(at(0), 2, 0), (at(HOUR), 2, 1)]);
}

#[test]
fn devices_subjects_and_types_are_deduplicated_apart() {
    let mut world = World::with_sas_device();
    world.see(0, registered("pump-2", "default"));
    world.see(0, threats("198.51.100.0/24"));
    for device in [DEVICE, "pump-2", DEVICE] {
        world.see(1, refused(device, [SasInvalidSignature]));
        world.see(1, report(device, vec![flow("198.51.100.1", 1, 0), flow("198.51.100.2", 0, 1)]));
    }
    world.expect("sas-invalid-signature", 2);
    world.expect("suspicious-ip", 4);
    let of_first = world
        .defender
        .alerts()
        .iter()
        .filter(|a| matches!(&a.entity, Entity::Device(d) if d.as_str() == DEVICE));
    assert!(of_first.into_iter().all(|alert| alert.count == 2));
}
