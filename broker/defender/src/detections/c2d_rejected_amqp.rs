//! The number of cloud-to-device messages that a device rejected over AMQP leaves the range of its group.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "c2d-rejected-amqp",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in AMQP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::AmqpC2DRejectedMessages,
    alert_type: "IoT_CA_AmqpC2DRejectedMessagesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window a device rejected fewer or more messages over AMQP than the range configured for its security group allows.",
    remediation: &[
        "Find out why the device refuses what it is sent: a manipulated application, or commands that it must not carry out.",
        "Find out who sends the commands.",
        "If the device is right, adapt the range of its security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1070"],
    marks: &[],
    on: &[EventKind::CloudToDeviceRejected],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::CloudToDeviceRejected { device, protocol: Protocol::Amqp, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, expired, rejected};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "c2d-rejected-amqp",
        rule: RangeRuleType::AmqpC2DRejectedMessages,
        event: |device, number| rejected(device, number, Protocol::Amqp),
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
    fn stays_silent_on_other_protocols_and_on_messages_that_merely_expired() {
        let other = Protocol::Https;
        ROW.stays_silent_on([rejected(DEVICE, 0, other), expired(DEVICE, 0, Some(Protocol::Amqp))]);
    }
}
