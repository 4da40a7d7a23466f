//! The number of direct methods invoked on a device leaves the range of its group.
//!
//! Every invocation that reaches the hub for an existing device counts, whether the device answered, was
//! offline (404103) or let the time pass; one that was refused for want of rights does not.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "direct-methods",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of direct method invokes outside the allowed range"),
        Name::new(Seed::AzureRtos, "Number of direct method invokes outside the allowed range"),
        Name::new(Seed::SecurityModule, "Number of direct method invokes outside the allowed range"),
        Name::new(Seed::IotHubAlerts, "Custom alert - The number of times that a direct method is invoked is outside the allowed range."),
    ],
    rule: RangeRuleType::DirectMethodInvokes,
    alert_type: "IoT_CA_DirectMethodInvokesNotInAllowedRange",
    data_source: DataSource::IotHub,
    description: "Within one time window direct methods were invoked on a device less or more often than the range configured for its security group allows.",
    remediation: &[
        "Find out who invokes them and by which right; stolen service credentials look like this.",
        "If the invocations are right, adapt the range of the device's security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1651"],
    marks: &[],
    on: &[EventKind::DirectMethodInvoked],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    if let HubEvent::DirectMethodInvoked { device, .. } = event {
        counting.one(device);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, invoked, service_refused};
    use crate::tests::range_row::Row;
    use hilarm_model::{MethodOutcome, RangeRuleType};

    const ROW: Row = Row {
        slug: "direct-methods",
        rule: RangeRuleType::DirectMethodInvokes,
        event: |device, number| invoked(device, OUTCOMES[number as usize % OUTCOMES.len()]),
    };
    const OUTCOMES: [MethodOutcome; 3] =
        [MethodOutcome::Answered { status: 200 }, MethodOutcome::DeviceOffline, MethodOutcome::TimedOut];

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROW.fires();
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        ROW.allows_both_ends();
    }

    #[test]
    fn stays_silent_on_invocations_that_were_refused() {
        ROW.stays_silent_on([service_refused(Some(DEVICE))]);
    }
}
