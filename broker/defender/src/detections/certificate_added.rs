//! Somebody added a certificate to the hub, or replaced one by another.
//!
//! A new name or a changed thumbprint; the same certificate again and its verification are neither.

use hilarm_model::{CertificateChange, HubEvent};

use crate::control_plane::{raise_on_certificate, succeeded};
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "certificate-added",
    names: &[
        Name::new(Seed::EclipseThreadX, "Detected addition of new certificate to an IoT Hub"),
        Name::new(Seed::AzureRtos, "Detected addition of new certificate to an IoT Hub"),
        Name::new(Seed::SecurityModule, "Detected addition of new certificate to an IoT Hub"),
        Name::new(Seed::IotHubAlerts, "New certificate added to an IoT Hub."),
    ],
    scope: Scope::Hub,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_CertificateSuccessfullyAddedToHub",
    description: "A certificate authority was added to the IoT Hub, or the certificate under a name was replaced. Whoever holds its key can enrol devices; if no authorised party did it, it may be an attack.",
    remediation: &[
        "Confirm that an authorised party added the certificate.",
        "If not, remove it and escalate to the security team.",
    ],
    placeholders: &["DescCertificateName", "DescIoTHubName"],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1098.001", "T1553.004"],
    boundary: Boundary::None("a certificate is another one or it is not"),
    trigger: Trigger::OnEvent { on: &[EventKind::CertificateWritten], judge },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let HubEvent::CertificateWritten { name, status, change, caller } = event else { return };
    judgement.consider();
    let added = matches!(change, Some(CertificateChange::Added | CertificateChange::Replaced));
    if succeeded(*status) && added {
        raise_on_certificate(judgement, name, *status, caller);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, at, certificate_written};
    use crate::{Entity, Subject};
    use hilarm_model::CertificateChange::{Added, Replaced, Unchanged};

    const SLUG: &str = "certificate-added";

    #[test]
    fn fires_on_each_addition_and_replacement_with_an_alert_of_its_own() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_written("root-1", 201, Some(Added)));
        world.see(2, certificate_written("root-1", 200, Some(Replaced)));
        let [first, second] = world.alerts(SLUG)[..] else { panic!("two operations, two alerts") };
        assert_eq!((first.entity.clone(), first.start, first.count), (Entity::Hub, at(1), 1));
        assert_eq!((first.ordinal, second.ordinal), (0, 1));
        assert_eq!(first.subject, Some(Subject::Certificate("root-1".into())));
        assert_eq!(first.facts["DescCertificateName"], "root-1");
        assert!(!first.facts.contains_key("DeviceId"));
    }

    #[test]
    fn at_the_boundary_of_success_only_statuses_below_300_fire() {
        for (status, count) in [(199, 0), (200, 1), (299, 1), (300, 0)] {
            let mut world = World::with_sas_device();
            world.see(1, certificate_written("root-1", status, Some(Added)));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn stays_silent_on_the_same_certificate_again_and_on_failures() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_written("root-1", 200, Some(Unchanged)));
        world.see(2, certificate_written("root-1", 200, None));
        world.see(3, certificate_written("root-1", 403, None));
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 3);
    }

    #[test]
    fn provisioning_raises_nothing() {
        let mut world = World::default();
        world.see(-1, certificate_written("root-1", 201, Some(Added)));
        world.start();
        world.expect(SLUG, 0);
    }
}
