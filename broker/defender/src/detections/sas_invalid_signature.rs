//! A SAS token's HMAC matches neither the primary nor the secondary key of the device.

use hilarm_model::{RefusalCause, UsedAuthentication};

use crate::authentication::{Bearing, Check, OUTCOMES};
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger,
};

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "sas-invalid-signature",
    names: &[
        Name::new(Seed::EclipseThreadX, "Invalid SAS Token signature"),
        Name::new(Seed::AzureRtos, "Invalid SAS Token signature"),
        Name::new(Seed::SecurityModule, "Invalid signature"),
        Name::new(Seed::IotHubAlerts, "Invalid SAS token signature."),
    ],
    scope: Scope::Device,
    class: Class::BuiltIn,
    severity: Severity::Low,
    data_source: DataSource::IotHub,
    alert_type: "IoT_Invalid_SAS_Token",
    description: "A SAS token presented for a device carries a signature that was made with neither the \
                  primary nor the secondary key of that device.",
    remediation: &["Review the other alerts of the device; this one asks for nothing further."],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance {
        severity: Provenance::Documented(Document::Seed),
        data_source: Provenance::Documented(Document::Seed),
        alert_type: Provenance::Documented(Document::PublishedList),
        description: Provenance::Documented(Document::Seed),
        remediation: Provenance::Documented(Document::Seed),
        trigger: Provenance::Documented(Document::Seed),
        attack: Provenance::Decided,
    },
    attack: &["T1550.001", "T1606", "T1110"],
    boundary: Boundary::None("a signature matches a key or it does not"),
    trigger: Trigger::OnEvent { on: OUTCOMES, judge: |event, judgement| CHECK.judge(event, judgement) },
};

/// An expired token did pass this check: expiry is judged after the signature.
const CHECK: Check = Check {
    accepted: |used, _| matches!(used, UsedAuthentication::Sas { .. }),
    refused: |cause, _| match cause {
        RefusalCause::SasInvalidSignature => Bearing::Failed,
        RefusalCause::SasExpired { .. } => Bearing::Passed,
        _ => Bearing::None,
    },
    evidence: |_, _| (),
};

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, World, at, refused};
    use hilarm_model::RefusalCause::{SasExpired, SasInvalidSignature, SasMalformed};

    const SLUG: &str = "sas-invalid-signature";

    #[test]
    fn fires_on_a_refused_connect() {
        let mut world = World::with_sas_device();
        world.see(5, refused(DEVICE, [SasInvalidSignature]));
        let alert = world.only(SLUG);
        assert_eq!((alert.start, alert.end, alert.count), (at(5), at(5), 1));
        assert_eq!(alert.facts["DeviceId"], DEVICE);
    }

    #[test]
    fn at_the_boundary_there_is_only_right_and_wrong() {
        let mut world = World::with_sas_device();
        world.see_accepted_sas(1, DEVICE, 3600);
        world.expect(SLUG, 0);
        world.see(2, refused(DEVICE, [SasInvalidSignature]));
        world.expect(SLUG, 1);
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn stays_silent_on_an_expired_token_a_malformed_one_and_on_strangers() {
        let mut world = World::with_sas_device();
        world.see(1, refused(DEVICE, [SasExpired { expiry: at(0) }]));
        world.see(2, refused(DEVICE, [SasMalformed { reason: "no sig".into() }]));
        world.see_stranger(3, [SasInvalidSignature]);
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 1, "the expired one's signature was right");
    }
}
