//! The number of cloud-to-device messages that a device refused over MQTT leaves the range of its group.
//!
//! On Azure an MQTT device cannot reject: under the profile `azure-faithful` the count is always 0. Under
//! `extended` a message counts that was handed out over MQTT at least once and expired without PUBACK; alerts
//! of this rule are marked `x-standin`.

use hilarm_model::{DeadLetter, HubEvent, Profile, Protocol, RangeRuleType};

use super::c2d_rejected_messages::REMEDIATION;
use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Provenance, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "c2d-rejected-mqtt",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of rejected cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of rejected cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of rejected cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in MQTT protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::MqttC2DRejectedMessages,
    alert_type: "IoT_CA_MqttC2DRejectedMessagesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window a device left fewer or more messages over MQTT without an acknowledgement until they expired than the range configured for its security group allows.",
    remediation: REMEDIATION,
    erratum: None,
    provenance: FieldProvenance { trigger: Provenance::Decided, ..FieldProvenance::WITHOUT_REMEDIATION },
    attack: &["T1070"],
    marks: &[("x-standin", "true")],
    on: &[EventKind::CloudToDeviceDeadLettered],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    let handed_out = Some(Protocol::Mqtt);
    if let HubEvent::CloudToDeviceDeadLettered {
        device, outcome: DeadLetter::Expired, delivered_over, ..
    } = event
        && *delivered_over == handed_out
        && counting.profile() == Profile::Extended
    {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, dead_lettered, expired};
    use crate::tests::range_row::Row;
    use hilarm_model::{DeadLetter, HubEvent, Profile, Protocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "c2d-rejected-mqtt",
        rule: RangeRuleType::MqttC2DRejectedMessages,
        event: |device, number| expired(device, number, Some(Protocol::Mqtt)),
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
    fn stays_silent_on_messages_that_were_never_handed_out_over_mqtt_and_on_other_ends() {
        ROW.stays_silent_on([None, Some(Protocol::Https)].map(|over| expired(DEVICE, 0, over)));
        ROW.stays_silent_on([
            dead_lettered(DEVICE, DeadLetter::Purged, Some(Protocol::Mqtt)),
            dead_lettered(DEVICE, DeadLetter::DeliveryCountExceeded, Some(Protocol::Mqtt)),
        ]);
    }

    #[test]
    fn alerts_say_that_they_are_a_stand_in() {
        let mut world = ROW.world(0, 0);
        world.see(1, (ROW.event)(DEVICE, 0));
        assert_eq!(world.only(ROW.slug).facts["x-standin"], "true");
    }

    #[test]
    fn under_the_azure_faithful_profile_the_count_is_always_zero() {
        let mut world = ROW.world(0, 0);
        world.see(1, HubEvent::ProfileConfigured(Profile::AzureFaithful));
        (0..5).for_each(|number| world.see(2, (ROW.event)(DEVICE, number)));
        world.expect(ROW.slug, 0);
        assert_eq!(world.defender.considered(ROW.slug), 0);
    }
}
