//! A device presents a SAS token whose signature is right and whose `se` has passed.

use hilarm_model::{RefusalCause, UsedAuthentication};

use crate::authentication::{Bearing, Check, OUTCOMES};
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger,
};
use crate::security_alert::time_text;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "sas-expired",
    names: &[
        Name::new(Seed::EclipseThreadX, "Expired SAS Token"),
        Name::new(Seed::AzureRtos, "Expired SAS Token"),
        Name::new(Seed::SecurityModule, "Expired"),
        Name::new(Seed::IotHubAlerts, "Expired SAS Token."),
    ],
    scope: Scope::Device,
    class: Class::BuiltIn,
    severity: Severity::Low,
    data_source: DataSource::IotHub,
    alert_type: "IoT_Expired_SAS_Token",
    description: "A device tried to connect with a SAS token that had expired. The token was once genuine: \
                  either the device failed to renew it, or somebody replays it.",
    remediation: &[
        "Check whether the legitimate device communicates correctly at this time.",
        "If it does, treat the attempt as an impersonation: roll the device's keys and find out where the token leaked.",
        "If it does not, repair the token renewal of the device; its clock is the first suspect.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance {
        severity: Provenance::Documented(Document::Seed),
        data_source: Provenance::Documented(Document::Seed),
        alert_type: Provenance::Documented(Document::PublishedList),
        description: Provenance::Documented(Document::Seed),
        remediation: Provenance::Documented(Document::Seed),
        trigger: Provenance::Inferred,
        attack: Provenance::Decided,
    },
    attack: &["T1550.001", "T1606", "T1110"],
    boundary: Boundary::TokenExpiry,
    trigger: Trigger::OnEvent { on: OUTCOMES, judge: |event, judgement| CHECK.judge(event, judgement) },
};

/// Signature comes before expiry: a token with a bad signature never reaches this check.
const CHECK: Check = Check {
    accepted: |used, _| matches!(used, UsedAuthentication::Sas { .. }),
    refused: |cause, _| match cause {
        RefusalCause::SasExpired { .. } => Bearing::Failed,
        _ => Bearing::None,
    },
    evidence: |cause, facts| {
        if let RefusalCause::SasExpired { expiry } = cause {
            facts.insert("TokenExpiry", time_text(*expiry));
        }
    },
};

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, World, at, refused};
    use hilarm_model::RefusalCause::{SasExpired, SasInvalidSignature};

    const SLUG: &str = "sas-expired";

    #[test]
    fn fires_on_a_refused_connect_and_names_the_expiry() {
        let mut world = World::with_sas_device();
        world.see(60, refused(DEVICE, [SasExpired { expiry: at(50) }]));
        let alert = world.only(SLUG);
        assert_eq!((alert.start, alert.count, alert.raised_by), (at(60), 1, Some(2)));
        assert_eq!(alert.facts["DeviceId"], DEVICE);
        assert_eq!(alert.facts["TokenExpiry"], "2026-01-01T00:00:50Z");
        assert_eq!(alert.facts["RemoteAddress"], "10.42.0.2");
    }

    #[test]
    fn at_the_boundary_the_hub_judges_and_its_cause_decides() {
        // `se` equal to the clock is expired: the hub refuses. One second later it accepts.
        let mut world = World::with_sas_device();
        world.see(60, refused(DEVICE, [SasExpired { expiry: at(60) }]));
        world.expect(SLUG, 1);
        let mut world = World::with_sas_device();
        world.see_accepted_sas(60, DEVICE, 61);
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 1);
    }

    #[test]
    fn stays_silent_on_other_causes_and_on_strangers() {
        let mut world = World::with_sas_device();
        world.see(60, refused(DEVICE, [SasInvalidSignature]));
        world.see_stranger(61, [SasExpired { expiry: at(1) }]);
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 0);
    }
}
