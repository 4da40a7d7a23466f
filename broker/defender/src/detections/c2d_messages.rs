//! The number of cloud-to-device messages that the hub accepted for a device leaves the range of its group: the
//! hub's view, by the protocol that the device last used.
//!
//! Accepted means enqueued: whether the device ever fetches them is another question.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// `c2d-mqtt`.
pub(crate) static MQTT: Detection = ByProtocol {
    slug: "c2d-mqtt",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of Cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of Cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of Cloud to device messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of cloud-to-device messages in MQTT protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::MqttC2DMessages,
    alert_type: "IoT_CA_MqttC2DMessagesNotInAllowedRange",
    description: "Within one time window the hub accepted fewer or more messages for a device that uses MQTT than the range configured for its security group allows.",
    marks: &[("View", "hub")],
    counts: |event, counting| count(event, counting, Protocol::Mqtt),
}
.detection();

/// `c2d-amqp`.
pub(crate) static AMQP: Detection = ByProtocol {
    slug: "c2d-amqp",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of cloud-to-device messages in AMQP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::AmqpC2DMessages,
    alert_type: "IoT_CA_AmqpC2DMessagesNotInAllowedRange",
    description: "Within one time window the hub accepted fewer or more messages for a device that uses AMQP than the range configured for its security group allows.",
    marks: &[],
    counts: |event, counting| count(event, counting, Protocol::Amqp),
}
.detection();

/// `c2d-http`.
pub(crate) static HTTP: Detection = ByProtocol {
    slug: "c2d-http",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of cloud-to-device messages in HTTP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::HttpC2DMessages,
    alert_type: "IoT_CA_HttpC2DMessagesNotInAllowedRange",
    description: "Within one time window the hub accepted fewer or more messages for a device that uses HTTP than the range configured for its security group allows.",
    marks: &[],
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
    marks: &'static [(&'static str, &'static str)],
    counts: fn(&HubEvent, &mut Counting<'_>),
}

impl ByProtocol {
    /// The row of the catalogue.
    const fn detection(self) -> Detection {
        let Self { slug, names, rule, alert_type, description, marks, counts } = self;
        RangeRow {
            slug,
            names,
            rule,
            alert_type,
            data_source: DataSource::IotHub,
            description,
            remediation: REMEDIATION,
            erratum: None,
            provenance: FieldProvenance::WITHOUT_REMEDIATION,
            attack: &["T1651"],
            marks,
            on: &[EventKind::CloudToDeviceEnqueued],
            counts,
        }
        .detection()
    }
}

const REMEDIATION: &[&str] = &[
    "Too many: find out who sends them and by which right; stolen service credentials look like this.",
    "Too few: find out what silenced the sender.",
    "If the traffic is right, adapt the range of the device's security group.",
];

fn count(event: &HubEvent, counting: &mut Counting<'_>, used: Protocol) {
    if let HubEvent::CloudToDeviceEnqueued { device, protocol: Some(protocol), .. } = event
        && *protocol == used
    {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, delivered, enqueued};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROWS: [(Row, Protocol); 3] = [
        (
            Row {
                slug: "c2d-mqtt",
                rule: RangeRuleType::MqttC2DMessages,
                event: |device, number| enqueued(device, number, Some(Protocol::Mqtt)),
            },
            Protocol::Mqtt,
        ),
        (
            Row {
                slug: "c2d-amqp",
                rule: RangeRuleType::AmqpC2DMessages,
                event: |device, number| enqueued(device, number, Some(Protocol::Amqp)),
            },
            Protocol::Amqp,
        ),
        (
            Row {
                slug: "c2d-http",
                rule: RangeRuleType::HttpC2DMessages,
                event: |device, number| enqueued(device, number, Some(Protocol::Https)),
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
    fn stays_silent_on_messages_for_devices_that_last_used_another_protocol() {
        for (row, own) in &ROWS {
            let others = ROWS.iter().map(|(_, protocol)| *protocol).filter(|protocol| protocol != own);
            others.for_each(|other| row.stays_silent_on([enqueued(DEVICE, 0, Some(other))]));
            row.stays_silent_on([enqueued(DEVICE, 0, None), delivered(DEVICE, 0, *own)]);
        }
    }
}
