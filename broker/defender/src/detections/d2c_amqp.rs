//! The number of a device's telemetry messages over AMQP in a window leaves the range of its group.
//!
//! Original sends count: neither retransmissions nor security messages, which the hub records as another kind
//! of event.

use hilarm_model::{HubEvent, Protocol, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "d2c-amqp",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of device-to-cloud messages in AMQP protocol is outside the allowed range."),
    ],
    rule: RangeRuleType::AmqpD2CMessages,
    alert_type: "IoT_CA_AmqpD2CMessagesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window a device sent fewer or more messages over AMQP than the range configured for its security group allows.",
    remediation: &[
        "Too many: find out what on the device sends them; a flood, stolen credentials or exfiltration look like this.",
        "Too few: find out what silenced the device.",
        "If the device is right, adapt the range of its security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1499"],
    marks: &[],
    on: &[EventKind::TelemetryReceived],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::TelemetryReceived { device, protocol: Protocol::Amqp, duplicate: false, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, duplicate, heartbeat, telemetry, telemetry_by};
    use crate::tests::range_row::Row;
    use hilarm_model::{Protocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "d2c-amqp",
        rule: RangeRuleType::AmqpD2CMessages,
        event: |device, _| telemetry_by(device, Protocol::Amqp),
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
    fn stays_silent_on_other_protocols_retransmissions_and_security_messages() {
        let other = Protocol::Https;
        ROW.stays_silent_on([
            telemetry_by(DEVICE, other),
            telemetry(DEVICE),
            duplicate(DEVICE),
            heartbeat(DEVICE),
        ]);
    }
}
