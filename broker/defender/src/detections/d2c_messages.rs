//! The number of a device's telemetry messages in a window leaves the range of its group, by protocol.
//!
//! Original sends count: neither retransmissions (DUP) nor security messages, which the hub records as another
//! kind of event.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// `d2c-mqtt`.
pub(crate) static MQTT: Detection = ByProtocol {
    slug: "d2c-mqtt",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of device to cloud messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of device to cloud messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of device to cloud messages in MQTT protocol outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of device-to-cloud messages in MQTT protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::MqttD2CMessages,
    alert_type: "IoT_CA_MqttD2CMessagesNotInAllowedRange",
    description: "Within one time window a device sent fewer or more messages over MQTT than the range \
                  configured for its security group allows.",
    counts: |event, counting| count(event, counting, Protocol::Mqtt),
}
.detection();

/// `d2c-amqp`.
pub(crate) static AMQP: Detection = ByProtocol {
    slug: "d2c-amqp",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of device-to-cloud messages in AMQP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::AmqpD2CMessages,
    alert_type: "IoT_CA_AmqpD2CMessagesNotInAllowedRange",
    description: "Within one time window a device sent fewer or more messages over AMQP than the range configured for its security group allows.",
    counts: |event, counting| count(event, counting, Protocol::Amqp),
}
.detection();

/// `d2c-http`.
pub(crate) static HTTP: Detection = ByProtocol {
    slug: "d2c-http",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of device-to-cloud messages in HTTP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::HttpD2CMessages,
    alert_type: "IoT_CA_HttpD2CMessagesNotInAllowedRange",
    description: "Within one time window a device sent fewer or more messages over HTTP than the range configured for its security group allows.",
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
    counts: fn(&HubEvent, &mut Counting<'_>),
}

impl ByProtocol {
    /// The row of the catalogue.
    const fn detection(self) -> Detection {
        let Self { slug, names, rule, alert_type, description, counts } = self;
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
            attack: &["T1499"],
            marks: &[],
            on: &[EventKind::TelemetryReceived],
            counts,
        }
        .detection()
    }
}

const REMEDIATION: &[&str] = &[
    "Too many: find out what on the device sends them; a flood, stolen credentials or exfiltration look like this.",
    "Too few: find out what silenced the device.",
    "If the device is right, adapt the range of its security group.",
];

fn count(event: &HubEvent, counting: &mut Counting<'_>, over: Protocol) {
    if let HubEvent::TelemetryReceived { device, protocol, duplicate: false, .. } = event
        && *protocol == over
    {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::alert::Side;
    use crate::tests::fixture::{
        DEVICE, World, at, duplicate, group, heartbeat, report, telemetry, telemetry_by,
    };
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};
    use std::time::Duration;

    const ROWS: [(Row, Protocol); 3] = [
        (
            Row {
                slug: "d2c-mqtt",
                rule: RangeRuleType::MqttD2CMessages,
                event: |device, _| telemetry_by(device, Protocol::Mqtt),
            },
            Protocol::Mqtt,
        ),
        (
            Row {
                slug: "d2c-amqp",
                rule: RangeRuleType::AmqpD2CMessages,
                event: |device, _| telemetry_by(device, Protocol::Amqp),
            },
            Protocol::Amqp,
        ),
        (
            Row {
                slug: "d2c-http",
                rule: RangeRuleType::HttpD2CMessages,
                event: |device, _| telemetry_by(device, Protocol::Https),
            },
            Protocol::Https,
        ),
    ];

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROWS.iter().for_each(|(row, _)| row.fires());
    }

    #[test]
    fn at_the_boundary_both_ends_are_allowed_over_each_protocol() {
        ROWS.iter().for_each(|(row, _)| row.allows_both_ends());
    }

    #[test]
    fn stays_silent_on_other_protocols_retransmissions_and_security_messages() {
        for (row, own) in &ROWS {
            let others = ROWS.iter().map(|(_, protocol)| *protocol).filter(|protocol| protocol != own);
            others.for_each(|other| row.stays_silent_on([telemetry_by(DEVICE, other)]));
            row.stays_silent_on([duplicate(DEVICE), heartbeat(DEVICE)]);
        }
    }

    const SLUG: &str = "d2c-mqtt";

    /// A device whose group allows 1 to 3 messages a minute.
    fn world() -> World {
        let mut world = World::provisioned(group(1, 3, 60));
        world.start();
        world
    }

    #[test]
    fn fires_on_the_message_that_exceeds_the_maximum() {
        let mut world = world();
        for second in 1..=5 {
            world.see(second, telemetry(DEVICE));
        }
        let alert = world.only(SLUG);
        assert_eq!((alert.start, alert.end, alert.raised_by), (at(0), at(4), Some(6)));
        let range = alert.range.as_ref().unwrap();
        assert_eq!((range.rule, range.side), (RangeRuleType::MqttD2CMessages, Side::Above));
        assert_eq!((range.min, range.max, range.window_number), (1, 3, 0));
        assert_eq!((range.window, range.group.as_str()), (Duration::from_secs(60), "default"));
        let facts = ["SecurityGroup", "MinThreshold", "MaxThreshold", "TimeWindowSize", "DeviceId"];
        assert_eq!(facts.map(|fact| alert.facts[fact].as_str()), ["default", "1", "3", "PT1M", DEVICE]);
    }

    #[test]
    fn fires_on_a_window_with_fewer_than_the_minimum() {
        let mut world = world();
        world.defender.advance_to(at(60));
        let alert = world.only(SLUG);
        assert_eq!((alert.start, alert.end, alert.raised_by), (at(0), at(60), None));
        let range = alert.range.as_ref().unwrap();
        assert_eq!((range.side, range.actual_count), (Side::Below, 0));
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        for (messages, alerts) in [(0, 1), (1, 0), (3, 0), (4, 1)] {
            let mut world = world();
            for second in 0..messages {
                world.see(second, telemetry(DEVICE));
            }
            world.defender.advance_to(at(60));
            world.expect(SLUG, alerts);
        }
    }

    #[test]
    fn stays_silent_on_what_does_not_count() {
        let mut world = world();
        world.see(1, telemetry(DEVICE));
        for second in 2..20 {
            world.see(second, duplicate(DEVICE));
            world.see(second, telemetry_by(DEVICE, Protocol::Https));
            world.see(second, telemetry_by(DEVICE, Protocol::Amqp));
            world.see(second, report(DEVICE, vec![]));
            world.see(second, telemetry("stranger"));
        }
        world.defender.advance_to(at(60));
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 1 + 18, "a stranger's message counts for no device");
    }
}
