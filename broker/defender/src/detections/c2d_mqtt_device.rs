//! The number of cloud-to-device messages that reached a device over MQTT leaves the range of its group: the
//! device's view, as three seeds list it apart from the hub's.
//!
//! Both views belong to one rule; they count and alert separately and say which one they are.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, Document, FieldProvenance, Name, Provenance, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "c2d-mqtt-device",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of cloud to device messages in MQTT protocol isn't in the allowed range"),
        Name::new(Seed::AzureRtos, "Number of cloud to device messages in MQTT protocol is not in the allowed range"),
        Name::new(Seed::SecurityModule, "Number of cloud to device messages in MQTT protocol is not in the allowed range"),
    ],
    rule: RangeRuleType::MqttC2DMessages,
    alert_type: "IoT_CA_MqttC2DMessagesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window fewer or more messages were delivered to a device over MQTT than the range configured for its security group allows.",
    remediation: &[
        "Too many: find out who sends them and by which right; stolen service credentials look like this.",
        "Too few: find out what silenced the sender.",
        "If the traffic is right, adapt the range of the device's security group.",
    ],
    erratum: None,
    provenance: FieldProvenance {
        severity: Provenance::Documented(Document::PublishedList),
        data_source: Provenance::Inferred,
        trigger: Provenance::Decided,
        ..FieldProvenance::WITHOUT_REMEDIATION
    },
    attack: &["T1651"],
    marks: &[("View", "device")],
    on: &[EventKind::CloudToDeviceDelivered],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::CloudToDeviceDelivered { device, protocol: Protocol::Mqtt, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, delivered, enqueued};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "c2d-mqtt-device",
        rule: RangeRuleType::MqttC2DMessages,
        event: |device, number| delivered(device, number, Protocol::Mqtt),
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
    fn stays_silent_on_messages_over_other_protocols_and_on_those_that_only_wait() {
        ROW.stays_silent_on([Protocol::Amqp, Protocol::Https].map(|over| delivered(DEVICE, 0, over)));
        let mut world = ROW.world(0, 2);
        (0..5).for_each(|number| world.see(1, enqueued(DEVICE, number, Some(Protocol::Mqtt))));
        world.expect(ROW.slug, 0);
    }

    #[test]
    fn both_views_count_and_alert_separately_and_name_themselves() {
        let mut world = ROW.world(0, 2);
        for number in 0..3 {
            world.see(1, enqueued(DEVICE, number, Some(Protocol::Mqtt)));
        }
        world.expect("c2d-mqtt", 1);
        world.expect(ROW.slug, 0);
        for number in 0..3 {
            world.see(2, delivered(DEVICE, number, Protocol::Mqtt));
        }
        let views = world.defender.alerts().iter().map(|alert| (alert.slug, alert.facts["View"].as_str()));
        assert_eq!(views.collect::<Vec<_>>(), [("c2d-mqtt", "hub"), ("c2d-mqtt-device", "device")]);
    }
}
