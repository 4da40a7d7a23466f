//! A device registered with thumbprints presents a leaf that matches neither.

use hilarm_model::{RefusalCause, UsedAuthentication};

use crate::authentication::{Bearing, Check, OUTCOMES};
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger,
};
use crate::roster::RegisteredKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "x509-thumbprint-mismatch",
    names: &[
        Name::new(Seed::EclipseThreadX, "X.509 device certificate thumbprint mismatch"),
        Name::new(Seed::AzureRtos, "X.509 device certificate thumbprint mismatch"),
        Name::new(Seed::SecurityModule, "Thumbprint mismatch"),
        Name::new(Seed::IotHubAlerts, "x.509 device certificate thumbprint mismatch."),
    ],
    scope: Scope::Device,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_Cert_Print_Mismatch",
    description: "The thumbprint of the certificate presented for a device is not one of those configured \
                  for it.",
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
    attack: &["T1649", "T1078"],
    boundary: Boundary::None("a thumbprint is a configured one or it is not"),
    trigger: Trigger::OnEvent { on: OUTCOMES, judge: |event, judgement| CHECK.judge(event, judgement) },
};

/// Only devices registered with thumbprints are checked; expiry is judged independently.
const CHECK: Check = Check {
    accepted: |used, registered| matches!(used, UsedAuthentication::X509 { .. }) && self_signed(registered),
    refused: |cause, registered| match cause {
        RefusalCause::X509ThumbprintMismatch { .. } => Bearing::Failed,
        RefusalCause::X509Expired { .. } | RefusalCause::X509NotYetValid { .. }
            if self_signed(registered) =>
        {
            Bearing::Passed
        }
        _ => Bearing::None,
    },
    evidence: |cause, facts| {
        if let RefusalCause::X509ThumbprintMismatch { sha1, sha256 } = cause {
            facts.insert("PresentedThumbprintSha1", sha1.clone());
            facts.insert("PresentedThumbprintSha256", sha256.clone());
        }
    },
};

fn self_signed(registered: Option<RegisteredKind>) -> bool {
    registered == Some(RegisteredKind::SelfSigned)
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, World, at, mismatch, refused};
    use hilarm_model::RefusalCause::{CredentialKindMismatch, X509Expired};

    const SLUG: &str = "x509-thumbprint-mismatch";

    #[test]
    fn fires_on_a_refused_certificate_and_names_the_presented_thumbprint() {
        let mut world = World::with_thumbprint_device();
        world.see(1, refused(DEVICE, [mismatch()]));
        let alert = world.only(SLUG);
        assert_eq!(alert.facts["PresentedThumbprintSha1"], "AA".repeat(20));
        assert_eq!(alert.facts["DeviceId"], DEVICE);
    }

    #[test]
    fn at_the_boundary_there_is_only_match_and_mismatch() {
        let mut world = World::with_thumbprint_device();
        world.see_accepted_x509(1, DEVICE, 3600);
        world.expect(SLUG, 0);
        world.see(2, refused(DEVICE, [mismatch()]));
        world.expect(SLUG, 1);
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn stays_silent_on_other_causes_and_on_strangers() {
        let mut world = World::with_thumbprint_device();
        world.see(1, refused(DEVICE, [X509Expired { not_after: at(0) }]));
        world.see(2, refused(DEVICE, [CredentialKindMismatch]));
        world.see_stranger(3, [mismatch()]);
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 1, "the expired one's thumbprint was right");
    }
}
