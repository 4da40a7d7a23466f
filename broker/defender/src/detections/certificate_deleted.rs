//! Somebody deleted a certificate of the hub.

use hilarm_model::HubEvent;

use crate::control_plane::{raise_on_certificate, succeeded};
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "certificate-deleted",
    names: &[
        Name::new(Seed::EclipseThreadX, "Detected deletion of a certificate from an IoT Hub"),
        Name::new(Seed::AzureRtos, "Detected deletion of a certificate from an IoT Hub"),
        Name::new(Seed::SecurityModule, "Detected deletion of a certificate from an IoT Hub"),
        Name::new(Seed::IotHubAlerts, "Certificate deleted from an IoT Hub."),
    ],
    scope: Scope::Hub,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_CertificateSuccessfullyDeletedFromHub",
    description: "A certificate was deleted from the IoT Hub. Devices that rely on it cannot connect any more; if no authorised party did it, it may be an attack.",
    remediation: &[
        "Confirm that an authorised party removed the certificate.",
        "If not, add it back and escalate to the security team.",
    ],
    placeholders: &["DescCertificateName", "DescIoTHubName"],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1531"],
    boundary: Boundary::None("a certificate was there or it was not"),
    trigger: Trigger::OnEvent { on: &[EventKind::CertificateDeleted], judge },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let HubEvent::CertificateDeleted { name, status, existed, caller } = event else { return };
    judgement.consider();
    if succeeded(*status) && *existed {
        raise_on_certificate(judgement, name, *status, caller);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, certificate_deleted};

    const SLUG: &str = "certificate-deleted";

    #[test]
    fn fires_on_each_deletion_with_an_alert_of_its_own() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_deleted("root-1", 204, true));
        world.see(2, certificate_deleted("root-1", 204, true));
        world.expect(SLUG, 2);
        assert_eq!(world.alerts(SLUG)[0].facts["DescCertificateName"], "root-1");
    }

    #[test]
    fn at_the_boundary_of_success_only_statuses_below_300_fire() {
        for (status, count) in [(199, 0), (200, 1), (299, 1), (300, 0)] {
            let mut world = World::with_sas_device();
            world.see(1, certificate_deleted("root-1", status, true));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn stays_silent_where_there_was_none_and_on_failures() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_deleted("root-1", 204, false));
        world.see(2, certificate_deleted("root-1", 412, true));
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 2);
    }
}
