//! defender.md 5, the lines on range rules: Window, Range, When raised, Scope, Scenario end.

use hilarm_model::{HubEvent, SecurityGroup, Timestamp};

use super::fixture::{DEVICE, World, at, configured, group, id, registered, telemetry};
use crate::{ALERTS_MAX, Entity, Side};

const SLUG: &str = "d2c-mqtt";

/// One device, `min..=max` messages a minute, monitoring started at t0.
fn world(min: u64, max: u64) -> World {
    let mut world = World::provisioned(group(min, max, 60));
    world.start();
    world
}

/// Window number, side and final count of each alert.
fn breaches(world: &World) -> Vec<(u64, Side, u64)> {
    let range = |alert: &crate::Alert| alert.range.clone().unwrap();
    let breach = |range: crate::RangeBreach| (range.window_number, range.side, range.actual_count);
    world.defender.alerts().iter().map(range).map(breach).collect()
}

#[test]
fn window_an_event_on_the_boundary_belongs_to_the_new_window() {
    let mut world = world(0, 2);
    world.see_telemetry(59, DEVICE, 2);
    world.see_at(Timestamp::from_micros(at(60).as_micros() - 1), HubEvent::CalendarAdvanced { from: at(59) });
    world.see_telemetry(60, DEVICE, 2);
    world.expect(SLUG, 0);
    world.see_telemetry(119, DEVICE, 1);
    assert_eq!(breaches(&world), [(1, Side::Above, 3)]);
}

#[test]
fn window_counts_from_the_start_of_monitoring() {
    let mut world = World::provisioned(group(0, 1, 60));
    world.see(37, HubEvent::MonitoringStarted);
    world.see_telemetry(96, DEVICE, 1);
    world.see_telemetry(97, DEVICE, 2);
    assert_eq!(world.only(SLUG).start, at(97));
}

#[test]
fn range_both_ends_are_inclusive() {
    for (count, expected) in
        [(1, vec![(0, Side::Below, 1)]), (2, vec![]), (3, vec![]), (4, vec![(0, Side::Above, 4)])]
    {
        let mut world = world(2, 3);
        world.see_telemetry(30, DEVICE, count);
        world.defender.advance_to(at(60));
        assert_eq!(breaches(&world), expected);
    }
}

#[test]
fn above_the_maximum_is_raised_at_the_event_and_its_count_settled_at_the_close() {
    let mut world = world(0, 2);
    world.see_telemetry(10, DEVICE, 2);
    world.expect(SLUG, 0);
    world.see_telemetry(20, DEVICE, 1);
    world.see_telemetry(30, DEVICE, 4);
    assert_eq!(breaches(&world), [(0, Side::Above, 3)]);
    assert_eq!(world.only(SLUG).end, at(20));
    assert_eq!(world.defender.poll_timeout(), Some(at(60)));
    world.defender.advance_to(at(60));
    let alert = world.only(SLUG);
    assert_eq!((alert.count, alert.end, &*alert.facts["ActualCount"]), (7, at(60), "7"));
    assert_eq!(breaches(&world), [(0, Side::Above, 7)]);
    assert_eq!(world.defender.poll_timeout(), None, "without a minimum a silent window says nothing");
}

#[test]
fn above_the_maximum_is_raised_once_per_device_and_window() {
    let mut world = world(0, 0);
    world.see(1, registered("pump-2", "default"));
    for window in 0..3 {
        world.see_telemetry(window * 60 + 5, DEVICE, 3);
        world.see_telemetry(window * 60 + 6, "pump-2", 2);
    }
    world.defender.finish(at(180));
    let of = |device| world.defender.alerts().iter().filter(move |a| a.entity == Entity::Device(id(device)));
    assert_eq!(
        of(DEVICE).map(|alert| (alert.count, alert.ordinal)).collect::<Vec<_>>(),
        [(3, 0), (3, 1), (3, 2)]
    );
    assert_eq!(of("pump-2").map(|alert| alert.count).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn below_the_minimum_needs_a_device_that_was_registered_for_the_whole_window() {
    let mut world = world(1, 9);
    world.see(60, registered("pump-2", "default"));
    world.see(61, registered("pump-3", "default"));
    world.see_telemetry(62, DEVICE, 1);
    world.defender.advance_to(at(120));
    let below = world.defender.alerts().iter().map(|alert| (alert.entity.clone(), alert.start));
    let entity = |device| Entity::Device(id(device));
    assert_eq!(below.collect::<Vec<_>>(), [(entity(DEVICE), at(0)), (entity("pump-2"), at(60))]);
}

#[test]
fn below_the_minimum_needs_a_rule_that_was_enabled_for_the_whole_window() {
    let mut world = World::with_sas_device();
    world.see(1, configured("default", group(1, 9, 60)));
    world.defender.advance_to(at(60));
    world.expect(SLUG, 0);
    world.see(119, configured("default", SecurityGroup::default()));
    world.defender.advance_to(at(600));
    world.expect(SLUG, 0);
    world.see(660, configured("default", group(1, 9, 60)));
    world.defender.advance_to(at(719));
    world.expect(SLUG, 0);
    world.defender.advance_to(at(720));
    assert_eq!(breaches(&world), [(11, Side::Below, 0)]);
}

#[test]
fn a_rule_disabled_at_the_very_end_of_a_window_was_enabled_for_the_whole_of_it() {
    let mut world = world(1, 9);
    world.see(60, configured("default", SecurityGroup::default()));
    assert_eq!(breaches(&world), [(0, Side::Below, 0)]);
}

#[test]
fn an_unchanged_registration_or_group_changes_nothing() {
    let mut world = world(1, 2);
    world.see_telemetry(10, DEVICE, 2);
    world.see(20, configured("Default", group(1, 2, 60)));
    world.see(20, registered(DEVICE, "DEFAULT"));
    world.see_telemetry(30, DEVICE, 1);
    world.defender.advance_to(at(120));
    assert_eq!(breaches(&world), [(0, Side::Above, 3), (1, Side::Below, 0)]);
}

#[test]
fn a_replaced_rule_counts_from_its_replacement_and_the_old_one_resumes_when_it_returns() {
    let mut world = world(0, 2);
    world.see_telemetry(10, DEVICE, 2);
    world.see(20, configured("default", group(0, 3, 60)));
    world.see_telemetry(21, DEVICE, 3);
    world.expect(SLUG, 0);
    world.see(30, configured("default", group(0, 2, 60)));
    world.see_telemetry(31, DEVICE, 1);
    assert_eq!(breaches(&world), [(0, Side::Above, 3)]);
}

#[test]
fn a_calendar_jump_closes_every_window_on_the_way() {
    let mut world = world(1, 1);
    world.see_telemetry(5, DEVICE, 2);
    world.see(5 + 185, HubEvent::CalendarAdvanced { from: at(5) });
    assert_eq!(breaches(&world), [(0, Side::Above, 2), (1, Side::Below, 0), (2, Side::Below, 0)]);
    assert_eq!(world.defender.poll_timeout(), Some(at(240)));
}

#[test]
fn windows_of_several_rules_close_in_the_order_of_their_ends() {
    let mut world = World::default();
    world.see(-3, configured("slow", group(1, 9, 90)));
    world.see(-3, configured("fast", group(1, 9, 60)));
    world.see(-2, registered("pump-1", "slow"));
    world.see(-2, registered("pump-2", "fast"));
    world.start();
    world.defender.advance_to(at(180));
    let ends: Vec<_> = world.defender.alerts().iter().map(|alert| alert.end).collect();
    assert_eq!(ends, [at(60), at(90), at(120), at(180), at(180)]);
}

#[test]
fn scope_is_the_group_of_the_device_at_the_time_of_the_event() {
    let mut world = world(0, 1);
    world.see(0, configured("lab", group(0, 3, 60)));
    world.see_telemetry(1, DEVICE, 1);
    world.see(2, registered(DEVICE, "lab"));
    world.see_telemetry(3, DEVICE, 3);
    world.expect(SLUG, 0);
    world.see(4, registered(DEVICE, "default"));
    world.see_telemetry(5, DEVICE, 1);
    let range = world.only(SLUG).range.as_ref().unwrap();
    assert_eq!((range.group.as_str(), range.actual_count), ("default", 2));
}

#[test]
fn a_device_that_left_the_group_within_a_window_is_not_below_its_minimum() {
    let mut world = world(1, 9);
    world.see(30, registered(DEVICE, "lab"));
    world.see(40, registered(DEVICE, "default"));
    world.defender.advance_to(at(60));
    world.expect(SLUG, 0);
    world.defender.advance_to(at(120));
    assert_eq!(breaches(&world), [(1, Side::Below, 0)]);
}

#[test]
fn scenario_end_settles_maximums_and_never_raises_a_minimum_for_a_partial_window() {
    let mut world = world(2, 3);
    world.see_telemetry(60, DEVICE, 5);
    world.see_telemetry(90, DEVICE, 1);
    world.defender.finish(at(100));
    assert_eq!(breaches(&world), [(0, Side::Below, 0), (1, Side::Above, 6)]);
    assert_eq!(world.defender.alerts()[1].end, at(100));
    assert_eq!(world.defender.poll_timeout(), None);
    world.see_telemetry(101, DEVICE, 9);
    world.defender.finish(at(500));
    assert_eq!(breaches(&world).len(), 2, "what comes after the end is disregarded");
}

#[test]
fn scenario_end_on_a_window_edge_closes_that_window() {
    let mut world = world(2, 3);
    world.see_telemetry(59, DEVICE, 1);
    world.defender.finish(at(60));
    assert_eq!(breaches(&world), [(0, Side::Below, 1)]);
}

#[test]
fn a_jump_to_the_end_of_the_calendar_ends_and_says_that_alerts_were_dropped() {
    let mut world = World::provisioned(group(1, 1, 1));
    world.start();
    world.see_at(Timestamp::from_micros(i64::MAX), telemetry(DEVICE));
    assert_eq!(world.defender.alerts().len(), ALERTS_MAX);
    assert!(world.defender.overflowed());
    world.defender.finish(Timestamp::from_micros(i64::MAX));
}

#[test]
fn a_window_longer_than_the_calendar_never_closes() {
    let mut world = World::provisioned(group(1, 1, u64::MAX));
    world.start();
    world.see_telemetry(1, DEVICE, 2);
    world.defender.advance_to(Timestamp::from_micros(i64::MAX));
    assert_eq!(breaches(&world), [(0, Side::Above, 2)]);
}
