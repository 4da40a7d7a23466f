//! What must hold for any sequence of records: silence between them changes nothing, and range rules agree
//! with a reference that counts by hand.

use std::collections::BTreeSet;

use hilarm_model::RefusalCause::{SasExpired, SasInvalidSignature, X509Expired};
use hilarm_model::{
    AllowRuleType, FilterAction, HubEvent, HubRecord, RangeRuleType, SecurityGroup, Timestamp,
};
use proptest::prelude::*;

use super::fixture::{
    allowing, at, certificate_written, configured, flow, group, id, listening, mismatch, network_rules,
    ranged, refused, registered, removed, report, service_refused, telemetry, threats,
};
use crate::{Alert, Defender, Entity, Recommendation, Side, catalogue};

const DEVICES: [&str; 3] = ["pump-1", "pump-2", "valve-1"];
const GROUPS: [&str; 2] = ["default", "lab"];

fn event() -> impl Strategy<Value = HubEvent> {
    let device = || prop::sample::select(&DEVICES[..]);
    let in_group = || prop::sample::select(&GROUPS[..]);
    let rules = prop_oneof![
        1 => Just(SecurityGroup::default()),
        4 => (0..3u64, 0..3u64, prop::sample::select(vec![15, 60, 90]))
            .prop_map(|(min, more, seconds)| group(min, min + more, seconds)),
    ];
    prop_oneof![
        12 => device().prop_map(telemetry),
        3 => (device(), in_group()).prop_map(|(device, group)| registered(device, group)),
        2 => (in_group(), rules).prop_map(|(name, group)| configured(name, group)),
        2 => device().prop_map(|device| refused(device, [SasInvalidSignature])),
        1 => device().prop_map(|device| refused(device, [SasExpired { expiry: at(0) }])),
        1 => device().prop_map(|device| refused(device, [mismatch(), X509Expired { not_after: at(0) }])),
        3 => (device(), 0..4u8)
            .prop_map(|(device, host)| report(device, vec![flow(&format!("198.51.100.{host}"), 1, 1)])),
        1 => prop::sample::select(vec!["", "198.51.100.0/31", "198.51.100.3"]).prop_map(threats),
        1 => Just(HubEvent::CalendarAdvanced { from: at(0) }),
        2 => further(),
        1 => Just(HubEvent::MonitoringStarted),
    ]
}

/// The control plane, device state, allow lists and range rules of other kinds.
fn further() -> impl Strategy<Value = HubEvent> {
    let device = || prop::sample::select(&DEVICES[..]);
    let outbound = AllowRuleType::ConnectionToIpNotAllowed;
    let rules = vec![
        ranged(RangeRuleType::ActiveConnections, 1, 2, 60),
        ranged(RangeRuleType::UnauthorizedOperations, 1, 1, 60),
        allowing(outbound, &["198.51.100.1/32"]),
    ];
    prop_oneof![
        prop::sample::select(rules).prop_map(|rules| configured("default", rules)),
        device().prop_map(removed),
        device().prop_map(|device| service_refused(Some(device))),
        device().prop_map(|device| listening(device, &[49152])),
        (0..2u8).prop_map(|number| certificate_written(&format!("root-{number}"), 403, None)),
        prop::sample::select(vec!["10.42.0.0/16", "10.42.0.0/15"])
            .prop_map(|network| network_rules(FilterAction::Deny, &[(FilterAction::Allow, network)])),
    ]
}

/// Steps that land on window edges more often than not.
fn step_us() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(0),
        6 => (0..8i64).prop_map(|quarter| quarter * 15_000_000),
        2 => 0..90_000_000i64,
        1 => Just(60 * 60_000_000),
        1 => Just(-5_000_000),
    ]
}

fn records() -> impl Strategy<Value = Vec<HubRecord>> {
    prop::collection::vec((step_us(), event()), 1..120).prop_map(|steps| {
        let mut now = at(-60).as_micros();
        let record = |(step, event)| {
            now += step;
            HubRecord { at: Timestamp::from_micros(now), event }
        };
        steps.into_iter().map(record).collect()
    })
}

fn outcome(defender: &Defender) -> (&[Alert], &[Recommendation], Vec<u64>, Option<Timestamp>) {
    let considered = catalogue().iter().map(|entry| defender.considered(entry.slug)).collect();
    (defender.alerts(), defender.recommendations(), considered, defender.poll_timeout())
}

proptest! {
    #[test]
    fn advancing_in_between_changes_nothing(
        records in records(),
        back_us in prop::collection::vec(prop::collection::vec(0..7_200_000_000i64, 0..4), 120),
    ) {
        let (mut whole, mut halting) = (Defender::new(), Defender::new());
        for (record, pauses) in records.iter().zip(back_us) {
            whole.handle(record);
            // Pauses lie before the record or on it; those in the past are no pauses at all.
            let mut pauses: Vec<_> = pauses.iter().map(|back| record.at.as_micros() - back).collect();
            pauses.sort_unstable();
            for pause in pauses {
                halting.advance_to(Timestamp::from_micros(pause));
            }
            halting.advance_to(record.at);
            halting.handle(record);
            prop_assert_eq!(outcome(&whole), outcome(&halting));
        }
        let end = records.last().map_or(at(0), |record| record.at);
        let end = Timestamp::from_micros(end.as_micros() + 100_000_000);
        while let Some(timeout) = halting.poll_timeout().filter(|timeout| *timeout <= end) {
            halting.advance_to(timeout);
        }
        whole.finish(end);
        halting.finish(end);
        prop_assert_eq!(outcome(&whole), outcome(&halting));
    }

    #[test]
    fn range_rules_agree_with_counting_by_hand(
        sends in prop::collection::vec((0..3usize, 0..600i64), 0..200),
        (min, more, seconds) in (0..4u64, 0..4u64, prop::sample::select(vec![30i64, 60, 90])),
        end in 500..700i64,
    ) {
        let max = min + more;
        let mut sends = sends;
        sends.sort_by_key(|(_, second)| *second);
        sends.retain(|(_, second)| *second <= end);
        let mut defender = Defender::new();
        let mut handle = |second, event| defender.handle(&HubRecord { at: at(second), event });
        handle(-1, configured("default", group(min, max, seconds as u64)));
        DEVICES.iter().for_each(|device| handle(-1, registered(device, "default")));
        handle(0, HubEvent::MonitoringStarted);
        sends.iter().for_each(|(device, second)| handle(*second, telemetry(DEVICES[*device])));
        defender.finish(at(end));

        let mut expected = BTreeSet::new();
        for (index, device) in DEVICES.iter().enumerate() {
            for window in 0..=end / seconds {
                let within = |(of, second): &&(usize, i64)| *of == index && second / seconds == window;
                let count = sends.iter().filter(within).count() as u64;
                if count > max {
                    expected.insert((Entity::Device(id(device)), window as u64, Side::Above, count));
                } else if count < min && (window + 1) * seconds <= end {
                    expected.insert((Entity::Device(id(device)), window as u64, Side::Below, count));
                }
            }
        }
        let found: BTreeSet<_> = defender.alerts().iter().map(|alert| {
            let range = alert.range.as_ref().unwrap();
            (alert.entity.clone(), range.window_number, range.side, range.actual_count)
        }).collect();
        prop_assert_eq!(found.len(), defender.alerts().len());
        prop_assert_eq!(found, expected);
    }
}
