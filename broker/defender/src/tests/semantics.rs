//! defender.md 5, the remaining lines that apply: Time base, SAS check order, X.509, and the start of
//! monitoring.

use hilarm_model::RefusalCause::{
    SasExpired, SasInvalidSignature, SasMalformed, SasScopeMismatch, X509Expired,
};
use hilarm_model::{CloseReason, ConnectionId, HubEvent};

use super::fixture::{DEVICE, World, at, flow, group, id, mismatch, refused, report, telemetry, threats};

/// The slugs of all alerts, in the order in which they were raised.
fn slugs(world: &World) -> Vec<&'static str> {
    world.defender.alerts().iter().map(|alert| alert.slug).collect()
}

#[test]
fn time_base_is_the_hubs_receive_time_not_the_agents() {
    let mut world = World::with_sas_device();
    world.see(0, threats("198.51.100.7"));
    world.see(77, report(DEVICE, vec![flow("198.51.100.7", 1, 1)]));
    assert_eq!(world.only("suspicious-ip").start, at(77));
}

#[test]
fn time_base_never_runs_backwards_so_no_closed_window_opens_again() {
    let mut world = World::provisioned(group(0, 1, 60));
    world.start();
    world.see(61, telemetry(DEVICE));
    world.see(10, telemetry(DEVICE));
    let range = world.only("d2c-mqtt").range.as_ref().unwrap();
    assert_eq!((range.window_number, range.actual_count), (1, 2));
}

#[test]
fn sas_check_order_a_bad_signature_is_only_a_bad_signature() {
    let mut world = World::with_sas_device();
    world.see(1, refused(DEVICE, [SasInvalidSignature]));
    assert_eq!(slugs(&world), ["sas-invalid-signature"]);
}

#[test]
fn sas_check_order_a_good_signature_past_its_expiry_is_only_expired() {
    let mut world = World::with_sas_device();
    world.see(2, refused(DEVICE, [SasExpired { expiry: at(1) }]));
    assert_eq!(slugs(&world), ["sas-expired"]);
}

#[test]
fn sas_check_order_a_token_that_does_not_parse_or_names_another_resource_raises_nothing() {
    let mut world = World::with_sas_device();
    world.see(1, refused(DEVICE, [SasMalformed { reason: "no se".into() }]));
    world.see(2, refused(DEVICE, [SasScopeMismatch]));
    assert_eq!(slugs(&world), [""; 0]);
}

#[test]
fn sas_expiry_in_the_middle_of_a_session_raises_nothing_by_itself() {
    let mut world = World::with_sas_device();
    world.see_accepted_sas(1, DEVICE, 100);
    let (connection, device) = (ConnectionId(1), Some(id(DEVICE)));
    world.see(700, HubEvent::ConnectionClosed { connection, device, reason: CloseReason::TokenExpired });
    assert_eq!(slugs(&world), [""; 0]);
}

#[test]
fn x509_expiry_and_thumbprint_are_judged_independently_and_both_may_fire() {
    let mut world = World::with_thumbprint_device();
    world.see(9, refused(DEVICE, [mismatch(), X509Expired { not_after: at(1) }]));
    assert_eq!(slugs(&world), ["x509-thumbprint-mismatch", "x509-expired"]);
    assert_eq!(world.defender.considered("x509-thumbprint-mismatch"), 1);
    assert_eq!(world.defender.considered("x509-expired"), 1);
}

#[test]
fn before_monitoring_starts_nothing_is_raised_counted_or_considered() {
    let mut world = World::provisioned(group(1, 1, 60));
    world.see(-9, threats("198.51.100.7"));
    world.see(-8, refused(DEVICE, [SasInvalidSignature]));
    world.see(-7, report(DEVICE, vec![flow("198.51.100.7", 1, 1)]));
    world.see_telemetry(-6, DEVICE, 5);
    world.defender.advance_to(at(-1));
    world.start();
    assert_eq!(slugs(&world), [""; 0]);
    assert!(crate::catalogue().iter().all(|entry| world.defender.considered(entry.slug) == 0));
    world.see_telemetry(1, DEVICE, 1);
    assert_eq!(slugs(&world), [""; 0], "the window counts from the start");
}

#[test]
fn configuration_from_before_monitoring_is_in_force() {
    let mut world = World::provisioned(group(1, 1, 60));
    world.see(-9, threats("198.51.100.7"));
    world.start();
    world.see(1, report(DEVICE, vec![flow("198.51.100.7", 1, 1)]));
    world.defender.advance_to(at(60));
    assert_eq!(slugs(&world), ["suspicious-ip", "d2c-mqtt"]);
}

#[test]
fn monitoring_starts_once() {
    let mut world = World::provisioned(group(1, 1, 60));
    world.start();
    world.see(30, HubEvent::MonitoringStarted);
    world.defender.advance_to(at(60));
    assert_eq!(world.only("d2c-mqtt").end, at(60));
}

#[test]
fn an_unknown_slug_was_never_considered() {
    assert_eq!(World::with_sas_device().defender.considered("no-such-detection"), 0);
}
