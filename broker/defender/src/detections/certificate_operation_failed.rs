//! Somebody tried to add or delete a certificate of the hub, and was refused.

use hilarm_model::HubEvent;

use crate::control_plane::{failed, raise_on_certificate};
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// `certificate-add-failed`.
pub(crate) static ADD: Detection = ByOperation {
    slug: "certificate-add-failed",
    names: &[
        Name::new(Seed::EclipseThreadX, "Detected unsuccessful attempt to add a certificate to an IoT Hub"),
        Name::new(Seed::AzureRtos, "Detected unsuccessful attempt to add a certificate to an IoT Hub"),
        Name::new(Seed::SecurityModule, "Detected unsuccessful attempt to add a certificate to an IoT Hub"),
        Name::new(Seed::IotHubAlerts, "Unsuccessful attempt detected to add a certificate to an IoT Hub."),
    ],
    alert_type: "Hub_CertificateFailedToBeAddedToHub",
    description: "An attempt to add a certificate of the IoT Hub failed. If no authorised party made it, it may be an attack.",
    attack: &["T1098.001", "T1553.004"],
    on: &[EventKind::CertificateWritten],
}
.detection();

/// `certificate-delete-failed`.
pub(crate) static DELETE: Detection = ByOperation {
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
    alert_type: "IoT.Hub_CertificateFailedToBeDeletedFromHub",
    description: "An attempt to delete a certificate of the IoT Hub failed. If no authorised party made it, it may be an attack.",
    attack: &["T1531"],
    on: &[EventKind::CertificateDeleted],
}
.detection();

/// What differs between the operations.
struct ByOperation {
    slug: &'static str,
    names: &'static [Name],
    alert_type: &'static str,
    description: &'static str,
    attack: &'static [&'static str],
    on: &'static [EventKind],
}

impl ByOperation {
    /// The row of the catalogue.
    const fn detection(self) -> Detection {
        let Self { slug, names, alert_type, description, attack, on } = self;
        Detection {
            slug,
            names,
            scope: Scope::Hub,
            class: Class::BuiltIn,
            severity: Severity::Medium,
            data_source: DataSource::IotHub,
            alert_type,
            description,
            remediation: &["Grant the right to change certificates to authorised parties only."],
            placeholders: &["DescCertificateName", "DescIoTHubName"],
            erratum: None,
            provenance: FieldProvenance::SEEDED,
            attack,
            boundary: Boundary::None("an attempt fails or it does not"),
            trigger: Trigger::OnEvent { on, judge },
        }
    }
}

/// Sees the events of its operation only.
fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let (HubEvent::CertificateWritten { name, status, caller, .. }
    | HubEvent::CertificateDeleted { name, status, caller, .. }) = event
    else {
        return;
    };
    judgement.consider();
    if failed(*status) {
        raise_on_certificate(judgement, name, *status, caller);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, certificate_deleted, certificate_written};
    use hilarm_model::CertificateChange::Added;
    use hilarm_model::HubEvent;

    struct Row {
        slug: &'static str,
        /// The operation on a certificate, answered with a status.
        operation: fn(&str, u16) -> HubEvent,
        /// The other one.
        other: fn(&str, u16) -> HubEvent,
    }

    const ADD: fn(&str, u16) -> HubEvent =
        |name, status| certificate_written(name, status, (status < 300).then_some(Added));
    const DELETE: fn(&str, u16) -> HubEvent = |name, status| certificate_deleted(name, status, true);

    const ROWS: [Row; 2] = [
        Row { slug: "certificate-add-failed", operation: ADD, other: DELETE },
        Row { slug: "certificate-delete-failed", operation: DELETE, other: ADD },
    ];

    #[test]
    fn fires_on_each_refused_attempt_with_an_alert_of_its_own() {
        for Row { slug, operation, .. } in ROWS {
            let mut world = World::with_sas_device();
            world.see(1, operation("root-1", 403));
            world.see(2, operation("root-1", 412));
            world.expect(slug, 2);
            let facts = &world.alerts(slug)[1].facts;
            assert_eq!((&*facts["DescCertificateName"], &*facts["Status"]), ("root-1", "412"));
        }
    }

    #[test]
    fn at_the_boundary_of_failure_statuses_from_400_fire() {
        for Row { slug, operation, .. } in ROWS {
            for (status, count) in [(399, 0), (400, 1), (500, 1)] {
                let mut world = World::with_sas_device();
                world.see(1, operation("root-1", status));
                world.expect(slug, count);
            }
        }
    }

    #[test]
    fn stays_silent_on_success_and_on_the_other_operation() {
        for Row { slug, operation, other } in ROWS {
            let mut world = World::with_sas_device();
            world.see(1, operation("root-1", 200));
            world.see(1, other("root-1", 403));
            world.expect(slug, 0);
            assert_eq!(world.defender.considered(slug), 1);
        }
    }
}
