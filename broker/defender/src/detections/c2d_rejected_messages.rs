//! The number of cloud-to-device messages that a device rejected over a protocol in which it can do so leaves the
//! range of its group.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// `c2d-rejected-amqp`.
pub(crate) static AMQP: Detection = ByProtocol {
    slug: "c2d-rejected-amqp",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in AMQP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::AmqpC2DRejectedMessages,
    alert_type: "IoT_CA_AmqpC2DRejectedMessagesNotInAllowedRange",
    description: "Within one time window a device rejected fewer or more messages over AMQP than the range configured for its security group allows.",
    erratum: None,
    counts: |event, counting| count(event, counting, Protocol::Amqp),
}
.detection();

/// `c2d-rejected-http`.
pub(crate) static HTTP: Detection = ByProtocol {
    slug: "c2d-rejected-http",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in HTTP protocol is not in the allowed range."),
    ],
    rule: RangeRuleType::HttpC2DRejectedMessages,
    alert_type: "IoT_CA_HttpC2DRejectedMessagesNotInAllowedRange",
    description: "Within one time window a device rejected fewer or more messages over HTTP than the range configured for its security group allows.",
    erratum: Some("004's description omits `rejected`: it reads as if every message over HTTP counted."),
    counts: |event, counting| count(event, counting, Protocol::Https),
}
.detection();

/// What differs between the protocols.
struct ByProtocol {
    slug: &'static str,
    names: &'static [Name],
    rule: RangeRuleType,
    alert_type: &'static str,
    description: &'static str,
    erratum: Option<&'static str>,
    counts: fn(&HubEvent, &mut Counting<'_>),
}

impl ByProtocol {
    /// The row of the catalogue.
    const fn detection(self) -> Detection {
        let Self { slug, names, rule, alert_type, description, erratum, counts } = self;
        RangeRow {
            slug,
            names,
            rule,
            alert_type,
            data_source: DataSource::IotHub,
            description,
            remediation: REMEDIATION,
            erratum,
            provenance: FieldProvenance::WITHOUT_REMEDIATION,
            attack: &["T1070"],
            marks: &[],
            on: &[EventKind::CloudToDeviceRejected],
            counts,
        }
        .detection()
    }
}

/// The row of MQTT has a trigger of its own and the same advice.
pub(super) const REMEDIATION: &[&str] = &[
    "Find out why the device refuses what it is sent: a manipulated application, or commands that it must not carry out.",
    "Find out who sends the commands.",
    "If the device is right, adapt the range of its security group.",
];

fn count(event: &HubEvent, counting: &mut Counting<'_>, over: Protocol) {
    if let HubEvent::CloudToDeviceRejected { device, protocol, .. } = event
        && *protocol == over
    {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, expired, rejected};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROWS: [(Row, Protocol); 2] = [
        (
            Row {
                slug: "c2d-rejected-amqp",
                rule: RangeRuleType::AmqpC2DRejectedMessages,
                event: |device, number| rejected(device, number, Protocol::Amqp),
            },
            Protocol::Amqp,
        ),
        (
            Row {
                slug: "c2d-rejected-http",
                rule: RangeRuleType::HttpC2DRejectedMessages,
                event: |device, number| rejected(device, number, Protocol::Https),
            },
            Protocol::Https,
        ),
    ];

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROWS.iter().for_each(|(row, _)| row.fires());
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        ROWS.iter().for_each(|(row, _)| row.allows_both_ends());
    }

    #[test]
    fn stays_silent_on_other_protocols_and_on_messages_that_merely_expired() {
        for (row, own) in &ROWS {
            let all = [Protocol::Mqtt, Protocol::Amqp, Protocol::Https];
            let others = all.into_iter().filter(|protocol| protocol != own);
            others.for_each(|other| row.stays_silent_on([rejected(DEVICE, 0, other)]));
            row.stays_silent_on([expired(DEVICE, 0, Some(*own))]);
        }
    }
}
