//! defender.md 5, the lines on the control plane, allow lists, the device's life and recommendations.

use hilarm_model::CertificateChange::{Added, Replaced, Unchanged};
use hilarm_model::FilterAction::{Allow, Deny};
use hilarm_model::RefusalCause::SasInvalidSignature;
use hilarm_model::{AllowRuleType, HubEvent, Profile, Protocol, RangeRuleType};

use super::fixture::{
    DEVICE, World, allowing, at, certificate_written, configured, expired, flow, group, keyed, listening,
    network_rules, ranged, refused, registered, removed, report, telemetry,
};
use crate::{RecommendationState, Side};

#[test]
fn outbound_is_bytes_sent_from_a_port_the_device_does_not_listen_on() {
    let mut world = World::provisioned(allowing(AllowRuleType::ConnectionToIpNotAllowed, &["10.0.0.0/8"]));
    world.start();
    world.see(1, listening(DEVICE, &[49152]));
    world.see(2, report(DEVICE, vec![flow("198.51.100.7", 9, 9)]));
    world.expect("outbound-connection-not-allowed", 0);
    world.see(3, listening(DEVICE, &[]));
    world.see(4, report(DEVICE, vec![flow("198.51.100.7", 9, 9)]));
    world.expect("outbound-connection-not-allowed", 1);
}

#[test]
fn outbound_exempts_multicast_and_broadcast() {
    let mut world = World::provisioned(allowing(AllowRuleType::ConnectionToIpNotAllowed, &[]));
    world.start();
    world.see(1, report(DEVICE, ["224.0.0.251", "255.255.255.255"].map(|to| flow(to, 0, 9)).to_vec()));
    world.expect("outbound-connection-not-allowed", 0);
}

#[test]
fn connection_from_ip_not_allowed_is_evaluated_for_inbound_flows() {
    let mut world = World::provisioned(allowing(AllowRuleType::ConnectionFromIpNotAllowed, &["10.0.0.0/8"]));
    world.start();
    world.see(1, listening(DEVICE, &[49152]));
    world.see(2, report(DEVICE, vec![flow("198.51.100.7", 9, 9)]));
    world.only("inbound-connection-not-allowed");
}

#[test]
fn rejected_c2d_over_mqtt_is_a_message_that_expired_without_puback_unless_faithful_to_azure() {
    for (profile, count) in [(Profile::Extended, 1), (Profile::AzureFaithful, 0)] {
        let mut world = World::provisioned(ranged(RangeRuleType::MqttC2DRejectedMessages, 0, 0, 60));
        world.see(-1, HubEvent::ProfileConfigured(profile));
        world.start();
        world.see(1, expired(DEVICE, 1, Some(Protocol::Mqtt)));
        world.expect("c2d-rejected-mqtt", count);
    }
}

#[test]
fn cert_add_vs_update_a_new_name_or_thumbprint_is_an_addition_and_the_same_again_is_none() {
    let mut world = World::with_sas_device();
    for change in [Added, Replaced, Unchanged] {
        world.see(1, certificate_written("root-1", 200, Some(change)));
    }
    world.expect("certificate-added", 2);
}

#[test]
fn deduplication_control_plane_alerts_are_one_an_operation() {
    let mut world = World::with_sas_device();
    (0..3).for_each(|_| world.see(1, certificate_written("root-1", 403, None)));
    let alerts = world.alerts("certificate-add-failed");
    assert_eq!(
        alerts.iter().map(|alert| (alert.count, alert.ordinal)).collect::<Vec<_>>(),
        [(1, 0), (1, 1), (1, 2)]
    );
}

#[test]
fn deduplication_allow_list_alerts_are_one_a_type_device_and_subject_an_hour() {
    let mut world = World::provisioned(allowing(AllowRuleType::ConnectionToIpNotAllowed, &[]));
    world.see(-1, registered("pump-2", "default"));
    world.start();
    for device in [DEVICE, "pump-2"] {
        for to in ["198.51.100.7", "198.51.100.8", "198.51.100.7"] {
            world.see(1, report(device, vec![flow(to, 0, 9)]));
        }
    }
    world.expect("outbound-connection-not-allowed", 4);
}

#[test]
fn recommendations_are_evaluated_on_every_change_and_resolved_when_clean() {
    let mut world = World::default();
    world.see(-1, network_rules(Deny, &[]));
    world.start();
    let states = |world: &World| {
        let known = world.defender.recommendations().iter().map(|known| (known.slug, known.state));
        known.filter(|(slug, _)| slug.starts_with("ip-filter")).collect::<Vec<_>>()
    };
    assert_eq!(states(&world), []);
    world.see(1, network_rules(Deny, &[(Allow, "10.0.0.0/8")]));
    assert_eq!(states(&world), [("ip-filter-large-range", RecommendationState::Active)]);
    world.see(2, network_rules(Deny, &[]));
    assert_eq!(states(&world), [("ip-filter-large-range", RecommendationState::Resolved)]);
}

#[test]
fn recommendations_before_monitoring_are_provisioning_and_after_the_end_nothing_changes() {
    let mut world = World::default();
    world.see(-2, keyed("a", "11", "12"));
    world.see(-2, keyed("b", "11", "13"));
    world.see(-1, keyed("b", "14", "15"));
    world.start();
    world.defender.finish(at(9));
    let before = world.defender.recommendations().to_vec();
    assert!(before.iter().all(|known| known.slug != "identical-credentials"));
    world.see(10, keyed("b", "11", "13"));
    world.defender.finish(at(20));
    assert_eq!(world.defender.recommendations(), before);
}

#[test]
fn a_removed_device_is_below_no_minimum_and_a_stranger_to_every_check() {
    let mut world = World::provisioned(group(1, 9, 60));
    world.start();
    world.see(59, removed(DEVICE));
    world.defender.advance_to(at(120));
    assert!(world.defender.alerts().is_empty());
    world.see(121, telemetry(DEVICE));
    world.see(130, registered(DEVICE, "default"));
    world.defender.advance_to(at(180));
    assert!(world.defender.alerts().is_empty(), "it was not registered for the whole window");
    world.defender.advance_to(at(240));
    assert_eq!(world.only("d2c-mqtt").range.as_ref().unwrap().side, Side::Below);
}

#[test]
fn a_removed_group_has_no_rules_left() {
    let mut world = World::provisioned(group(0, 0, 60));
    world.start();
    world.see(1, HubEvent::SecurityGroupRemoved { name: "Default".into() });
    world.see(2, telemetry(DEVICE));
    world.see(3, refused(DEVICE, [SasInvalidSignature]));
    world.only("sas-invalid-signature");
    world.see(4, configured("default", group(0, 0, 60)));
    world.see(5, telemetry(DEVICE));
    world.expect("d2c-mqtt", 1);
}
