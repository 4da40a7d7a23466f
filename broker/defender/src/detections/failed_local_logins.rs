//! The number of failed logins that a device's agent reported leaves the range of its group.
//!
//! Login events with the result Fail count, each by itself, however many a message holds.

use hilarm_model::{HubEvent, Login, RangeRuleType, SecurityPayload};

use crate::counting::{Counting, security_events};
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "failed-local-logins",
    names: &[
        Name::new(Seed::CustomAlerts, "Custom alert - The number of failed local logins is outside the allowed range"),
    ],
    rule: RangeRuleType::FailedLocalLogins,
    alert_type: "IoT_CA_FailedLocalLoginsNotInAllowedRange",
    data_source: DataSource::MicroAgent,
    description: "Within one time window fewer or more logins failed on a device than the range configured for its security group allows.",
    remediation: &[
        "Find out who tries to sign in, and from where; guessed passwords look like this.",
        "Change the passwords of the device and close what is open without need.",
        "If the device is right, adapt the range of its security group.",
    ],
    erratum: None,
    provenance: FieldProvenance::WITHOUT_REMEDIATION,
    attack: &["T1110"],
    marks: &[],
    on: &[EventKind::SecurityMessageReceived],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    let Some((device, events)) = security_events(event) else { return };
    for event in events {
        if let SecurityPayload::Login(Login { success: false, .. }) = event.payload {
            counting.one(device);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, heartbeat, login, reports};
    use crate::tests::range_row::Row;
    use hilarm_model::RangeRuleType;

    const ROW: Row = Row {
        slug: "failed-local-logins",
        rule: RangeRuleType::FailedLocalLogins,
        event: |device, number| reports(device, [login(&format!("user-{number}"), false)]),
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
    fn every_login_of_a_message_counts() {
        let mut world = ROW.world(0, 2);
        world.see(1, reports(DEVICE, [login("a", false), login("a", true), login("a", false)]));
        world.expect(ROW.slug, 0);
        world.see(2, reports(DEVICE, [login("a", false)]));
        world.expect(ROW.slug, 1);
    }

    #[test]
    fn stays_silent_on_logins_that_succeeded() {
        ROW.stays_silent_on([reports(DEVICE, [login("root", true)]), heartbeat(DEVICE)]);
    }
}
