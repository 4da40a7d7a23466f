//! The number of purges of a device's queue leaves the range of its group.
//!
//! Calls count, not messages: a purge of an empty queue is one, too.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "queue-purges",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of command queue purges outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of command queue purges outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of command queue purges outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of command queue purges that are outside of the allowed range."),
    ],
    rule: RangeRuleType::QueuePurges,
    alert_type: "IoT_CA_QueuePurgesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window the queue of commands for a device was purged less or more often than the range configured for its security group allows.",
    remediation: &[
        "Find out who purges the queue and by which right; commands may be kept from the device on purpose.",
        "If the purges are right, adapt the range of the device's security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1070"],
    marks: &[],
    on: &[EventKind::QueuePurged],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::QueuePurged { device, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, dead_lettered, purged};
    use crate::tests::range_row::Row;
    use hilarm_model::{DeadLetter, RangeRuleType};

    const ROW: Row = Row {
        slug: "queue-purges",
        rule: RangeRuleType::QueuePurges,
        event: |device, number| purged(device, number * 7),
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
    fn stays_silent_on_purged_messages_which_are_not_calls() {
        ROW.stays_silent_on([dead_lettered(DEVICE, DeadLetter::Purged, None)]);
    }
}
