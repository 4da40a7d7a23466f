//! The number of cloud-to-device messages that the hub accepted for a device leaves the range of its group:
//! the hub's view, by the protocol that the device last used (Http).
//!
//! Accepted means enqueued: whether the device ever fetches them is another question.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "c2d-http",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of cloud-to-device messages in HTTP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::HttpC2DMessages,
    alert_type: "IoT_CA_HttpC2DMessagesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window the hub accepted fewer or more messages for a device that uses HTTP than the range configured for its security group allows.",
    remediation: &[
        "Too many: find out who sends them and by which right; stolen service credentials look like this.",
        "Too few: find out what silenced the sender.",
        "If the traffic is right, adapt the range of the device's security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1651"],
    marks: &[],
    on: &[EventKind::CloudToDeviceEnqueued],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::CloudToDeviceEnqueued { device, protocol: Some(Protocol::Https), .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, delivered, enqueued};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "c2d-http",
        rule: RangeRuleType::HttpC2DMessages,
        event: |device, number| enqueued(device, number, Some(Protocol::Https)),
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
    fn stays_silent_on_messages_for_devices_that_last_used_another_protocol() {
        ROW.stays_silent_on(
            [None, Some(Protocol::Mqtt), Some(Protocol::Amqp)].map(|used| enqueued(DEVICE, 0, used)),
        );
        ROW.stays_silent_on([delivered(DEVICE, 0, Protocol::Https)]);
    }
}
