//! The number of updates of a device's module twins leaves the range of its group.
//!
//! Every seed says module twin; the API says only twin. Module twins count: reported, desired and tags, by the
//! device or by the service. Device twins count as well when the knob `include_device_twins` is on.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "twin-updates",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of updates to twin modules outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of updates to twin modules outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of updates to twin modules outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of module twin updates is outside the allowed range."),
    ],
    rule: RangeRuleType::TwinUpdates,
    alert_type: "IoT_CA_TwinUpdatesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window the module twins of a device were updated less or more often than the range configured for its security group allows.",
    remediation: &[
        "Find out who updates the twins and by which right; a manipulated configuration looks like this.",
        "If the updates are right, adapt the range of the device's security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1565.001"],
    marks: &[],
    on: &[EventKind::TwinUpdated],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::TwinUpdated { device, module, .. } = event
        && (module.is_some() || counting.tuning().include_device_twins)
    {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, id, twin_updated};
    use crate::tests::range_row::Row;
    use hilarm_model::{HubEvent, RangeRuleType, Tuning, TwinSection};

    const ROW: Row = Row {
        slug: "twin-updates",
        rule: RangeRuleType::TwinUpdates,
        event: |device, number| twin_updated(device, true, SECTIONS[number as usize % SECTIONS.len()]),
    };
    const SECTIONS: [TwinSection; 3] = [TwinSection::Reported, TwinSection::Desired, TwinSection::Tags];

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROW.fires();
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        ROW.allows_both_ends();
    }

    #[test]
    fn stays_silent_on_device_twins_and_on_reads() {
        ROW.stays_silent_on(SECTIONS.map(|section| twin_updated(DEVICE, false, section)));
        ROW.stays_silent_on([HubEvent::TwinRead { device: id(DEVICE), module: None }]);
    }

    #[test]
    fn device_twins_count_when_the_knob_says_so() {
        let mut world = ROW.world(0, 1);
        let tuning = Tuning { include_device_twins: true, ..Tuning::default() };
        world.see(1, HubEvent::DefenderTuned(tuning));
        world.see(2, twin_updated(DEVICE, false, TwinSection::Reported));
        world.expect(ROW.slug, 0);
        world.see(2, twin_updated(DEVICE, true, TwinSection::Reported));
        world.expect(ROW.slug, 1);
    }
}
