//! A device presents a certificate whose `notAfter` has passed.

use hilarm_model::{RefusalCause, UsedAuthentication};

use crate::authentication::{Bearing, Check, OUTCOMES};
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger,
};
use crate::security_alert::time_text;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "x509-expired",
    names: &[
        Name::new(Seed::EclipseThreadX, "X.509 certificate expired"),
        Name::new(Seed::AzureRtos, "X.509 certificate expired"),
        Name::new(Seed::SecurityModule, "Expired"),
        Name::new(Seed::IotHubAlerts, "x.509 certificate expired."),
    ],
    scope: Scope::Device,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_Cert_Expired",
    description: "A device tried to connect with a certificate past its notAfter. Either nobody renewed the \
                  certificate, or somebody uses an old one whose key leaked.",
    remediation: &[
        "Check whether the legitimate device communicates correctly at this time.",
        "If it does, treat the attempt as an impersonation: register a new thumbprint and find out where the key leaked.",
        "If it does not, renew the certificate of the device.",
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
    attack: &["T1649", "T1078"],
    boundary: Boundary::CertificateExpiry,
    trigger: Trigger::OnEvent { on: OUTCOMES, judge: |event, judgement| CHECK.judge(event, judgement) },
};

/// Expiry and thumbprint are judged independently: a refusal over the thumbprint alone passed this check.
const CHECK: Check = Check {
    accepted: |used, _| matches!(used, UsedAuthentication::X509 { .. }),
    refused: |cause, _| match cause {
        RefusalCause::X509Expired { .. } => Bearing::Failed,
        RefusalCause::X509ThumbprintMismatch { .. } | RefusalCause::X509NotYetValid { .. } => Bearing::Passed,
        _ => Bearing::None,
    },
    evidence: |cause, facts| {
        if let RefusalCause::X509Expired { not_after } = cause {
            facts.insert("CertificateNotAfter", time_text(*not_after));
        }
    },
};

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, World, at, mismatch, refused};
    use hilarm_model::RefusalCause::{X509Expired, X509NotYetValid};

    const SLUG: &str = "x509-expired";

    #[test]
    fn fires_on_a_refused_certificate_and_names_its_not_after() {
        let mut world = World::with_thumbprint_device();
        world.see(60, refused(DEVICE, [X509Expired { not_after: at(59) }]));
        let alert = world.only(SLUG);
        assert_eq!(alert.facts["CertificateNotAfter"], "2026-01-01T00:00:59Z");
        assert_eq!(alert.facts["DeviceId"], DEVICE);
    }

    #[test]
    fn at_the_boundary_the_hub_judges_and_its_cause_decides() {
        // `notAfter` equal to the clock is still valid: the hub accepts. One second earlier it refuses.
        let mut world = World::with_thumbprint_device();
        world.see_accepted_x509(60, DEVICE, 60);
        world.expect(SLUG, 0);
        world.see(60, refused(DEVICE, [X509Expired { not_after: at(59) }]));
        world.expect(SLUG, 1);
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn stays_silent_on_other_causes_and_on_strangers() {
        let mut world = World::with_thumbprint_device();
        world.see(1, refused(DEVICE, [mismatch()]));
        world.see(2, refused(DEVICE, [X509NotYetValid { not_before: at(100) }]));
        world.see_stranger(3, [X509Expired { not_after: at(0) }]);
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 2);
    }
}
