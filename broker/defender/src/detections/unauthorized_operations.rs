//! The number of operations that affect a device, or were done by it, and failed as unauthorized leaves the
//! range of its group.
//!
//! Counted is what the hub answers with 401xxx: a CONNECT refused for its credentials or by the IP filter
//! (once, however many causes), a publish or subscription to what belongs to another device, a service call
//! without the right to it that names the device. Quota, 404, throttling and malformed packets are not. An id
//! that nobody registered counts by itself, by the rules of the default group, flagged `unregistered`.

use hilarm_model::{HubEvent, RangeRuleType, RefusalCause};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "unauthorized-operations",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of unauthorized operations outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of unauthorized operations outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of unauthorized operations outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of unauthorized operations is outside the allowed range."),
    ],
    rule: RangeRuleType::UnauthorizedOperations,
    alert_type: "IoT_CA_UnauthorizedOperationsNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window fewer or more operations on or by a device were refused as unauthorized than the range configured for its security group allows.",
    remediation: &[
        "Find out who tries, from where, and with which credentials; guessing and scanning look like this.",
        "Renew credentials that may have leaked.",
        "If the device itself is misconfigured, repair it.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1110"],
    marks: &[],
    on: &[EventKind::ConnectionRefused, EventKind::OperationRefused, EventKind::ServiceOperationRefused],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    match event {
        HubEvent::ConnectionRefused(refused) if refused.causes.iter().any(is_unauthorized) => {
            if let Some(device) = &refused.device {
                counting.claimed(device);
            }
        }
        HubEvent::OperationRefused { device, .. } => counting.one(device),
        HubEvent::ServiceOperationRefused { device: Some(device), code, .. } if code / 1000 == 401 => {
            counting.claimed(device);
        }
        _ => (),
    }
}

/// Malformed packets are the 400 family's, a throttle is a 429; everything else about a refused CONNECT is a 401.
fn is_unauthorized(cause: &RefusalCause) -> bool {
    use RefusalCause::{ProtocolLevel, Throttled, UserNameMalformed};
    !matches!(cause, UserNameMalformed { .. } | ProtocolLevel { .. } | Throttled)
}

#[cfg(test)]
mod tests {
    use crate::counting::STRANGERS_MAX;
    use crate::tests::fixture::{
        DEVICE, at, mismatch, operation_refused, refused, service_refused, service_refused_with,
    };
    use crate::tests::range_row::Row;
    use hilarm_model::RangeRuleType;
    use hilarm_model::RefusalCause::{
        IpFiltered, ProtocolLevel, SasInvalidSignature, Throttled, UnknownDevice, UserNameMalformed,
        X509Expired,
    };

    const ROW: Row = Row {
        slug: "unauthorized-operations",
        rule: RangeRuleType::UnauthorizedOperations,
        event: |device, number| match number % 4 {
            0 => refused(device, [SasInvalidSignature]),
            1 => refused(device, [IpFiltered]),
            2 => operation_refused(device),
            _ => service_refused(Some(device)),
        },
    };

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROW.fires();
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        ROW.allows_both_ends();
    }

    #[test]
    fn a_refused_connect_counts_once_however_many_causes_it_has() {
        let mut world = ROW.world(0, 1);
        world.see(1, refused(DEVICE, [mismatch(), X509Expired { not_after: at(0) }]));
        world.expect(ROW.slug, 0);
        world.see(1, refused(DEVICE, [mismatch()]));
        world.expect(ROW.slug, 1);
    }

    #[test]
    fn an_unregistered_id_counts_by_itself_and_is_flagged() {
        let mut world = ROW.world(1, 2);
        world.see(1, refused(DEVICE, [SasInvalidSignature]));
        for _ in 0..3 {
            world.see_stranger(2, [UnknownDevice]);
        }
        let alert = world.alerts(ROW.slug)[0];
        assert_eq!((&*alert.facts["DeviceId"], &*alert.facts["unregistered"]), ("stranger", "true"));
        world.defender.advance_to(at(60));
        world.expect(ROW.slug, 1);
        world.see(61, refused(DEVICE, [SasInvalidSignature]));
        world.defender.advance_to(at(120));
        world.expect(ROW.slug, 1);
        assert_eq!(world.defender.considered(ROW.slug), 5);
    }

    #[test]
    fn claimed_ids_are_bounded_and_so_is_what_they_cost() {
        let mut world = ROW.world(0, 1);
        for number in 0..=STRANGERS_MAX {
            world.see(1, service_refused(Some(&format!("stranger-{number}"))));
            assert_eq!(world.defender.overflowed(), number == STRANGERS_MAX);
        }
        world.see(1, service_refused(Some("stranger-0")));
        world.expect(ROW.slug, 1);
    }

    #[test]
    fn stays_silent_on_malformed_packets_on_throttles_and_on_what_names_no_device() {
        ROW.stays_silent_on([
            refused(DEVICE, [Throttled]),
            refused(DEVICE, [ProtocolLevel { level: 5 }]),
            refused(DEVICE, [UserNameMalformed { reason: "no slash".into() }]),
            service_refused(None),
        ]);
    }

    #[test]
    fn stays_silent_on_calls_that_were_refused_for_another_reason() {
        let codes = [400_004, 402_999, 400_999, 403_000, 403_004, 404_001, 412_001, 413_001, 429_001];
        ROW.stays_silent_on(codes.map(|code| service_refused_with(Some(DEVICE), code)));
        let mut world = ROW.world(0, 0);
        world.see(1, service_refused_with(Some(DEVICE), 401_002));
        world.expect(ROW.slug, 1);
    }
}
