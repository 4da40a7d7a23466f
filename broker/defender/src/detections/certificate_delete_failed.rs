//! Somebody tried to delete a certificate of the hub, and was refused.

use hilarm_model::HubEvent;

use crate::control_plane::{failed, raise_on_certificate};
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "certificate-delete-failed",
    names: &[
        Name::new(
            Seed::EclipseThreadX,
            "Detected unsuccessful attempt to delete a certificate from an IoT Hub",
        ),
        Name::new(Seed::AzureRtos, "Detected unsuccessful attempt to delete a certificate from an IoT Hub"),
        Name::new(
            Seed::SecurityModule,
            "Detected unsuccessful attempt to delete a certificate from an IoT Hub",
        ),
        Name::new(
            Seed::IotHubAlerts,
            "Unsuccessful attempt detected to delete a certificate from an IoT Hub.",
        ),
    ],
    scope: Scope::Hub,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT.Hub_CertificateFailedToBeDeletedFromHub",
    description: "An attempt to delete a certificate of the IoT Hub failed. If no authorised party made it, it may be an attack.",
    remediation: &["Grant the right to change certificates to authorised parties only."],
    placeholders: &["DescCertificateName", "DescIoTHubName"],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1531"],
    boundary: Boundary::None("an attempt fails or it does not"),
    trigger: Trigger::OnEvent { on: &[EventKind::CertificateDeleted], judge },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let HubEvent::CertificateDeleted { name, status, caller, .. } = event else { return };
    judgement.consider();
    if failed(*status) {
        raise_on_certificate(judgement, name, *status, caller);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, certificate_deleted};

    const SLUG: &str = "certificate-delete-failed";

    #[test]
    fn fires_on_each_refused_attempt_with_an_alert_of_its_own() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_deleted("root-1", 403, true));
        world.see(2, certificate_deleted("root-1", 412, true));
        world.expect(SLUG, 2);
        let facts = &world.alerts(SLUG)[1].facts;
        assert_eq!((&*facts["DescCertificateName"], &*facts["Status"]), ("root-1", "412"));
    }

    #[test]
    fn at_the_boundary_of_failure_statuses_from_400_fire() {
        for (status, count) in [(399, 0), (400, 1), (500, 1)] {
            let mut world = World::with_sas_device();
            world.see(1, certificate_deleted("root-1", status, true));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn stays_silent_on_success() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_deleted("root-1", 200, true));
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 1);
    }
}
