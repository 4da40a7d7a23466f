//! The number of file uploads that a device completed leaves the range of its group.
//!
//! Completed means that the device notified the hub of success; one that failed moved no file.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "file-uploads",
    names: &[
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of file uploads is outside the allowed range."),
    ],
    rule: RangeRuleType::FileUploads,
    alert_type: "IoT_CA_FileUploadsNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window a device uploaded fewer or more files than the range configured for its security group allows.",
    remediation: &[
        "Too many: examine the uploaded files; exfiltration looks like this.",
        "Too few: find out what silenced the device.",
        "If the device is right, adapt the range of its security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1567.002"],
    marks: &[],
    on: &[EventKind::FileUploadCompleted],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::FileUploadCompleted { device, success: true, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, uploaded};
    use crate::tests::range_row::Row;
    use hilarm_model::RangeRuleType;

    const ROW: Row = Row {
        slug: "file-uploads",
        rule: RangeRuleType::FileUploads,
        event: |device, _| uploaded(device, true),
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
    fn stays_silent_on_uploads_that_failed() {
        ROW.stays_silent_on([uploaded(DEVICE, false)]);
    }
}
