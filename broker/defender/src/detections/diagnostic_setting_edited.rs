//! Somebody tried to add or edit a diagnostic setting of the hub, with or without success.

use hilarm_model::HubEvent;

use crate::control_plane::raise_on_diagnostic_setting;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Provenance, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "diagnostic-setting-edited",
    names: &[
        Name::new(
            Seed::EclipseThreadX,
            "Detected an attempt to add or edit a diagnostic setting of an IoT Hub",
        ),
        Name::new(Seed::AzureRtos, "Detected an attempt to add or edit a diagnostic setting of an IoT Hub"),
        Name::new(
            Seed::SecurityModule,
            "Detected an attempt to add or edit a diagnostic setting of an IoT Hub",
        ),
        Name::new(Seed::IotHubAlerts, "Attempt to add or edit a diagnostic setting of an IoT Hub detected."),
    ],
    scope: Scope::Hub,
    class: Class::BuiltIn,
    severity: Severity::Low,
    data_source: DataSource::IotHub,
    alert_type: "IoT_DiagnosticSettingAddedOrEditedOnHub",
    description: "An attempt was made to add or edit a diagnostic setting of the IoT Hub. Diagnostic settings keep the activity trail by which an incident is investigated; if no authorised party did it, it may be the preparation of an attack or the covering of one.",
    remediation: &[
        "Confirm that an authorised party changed the diagnostic setting.",
        "If not, restore it, and grant the right to change diagnostic settings to authorised parties only.",
    ],
    placeholders: &[],
    erratum: Some("004 gives it the remediation of a deleted certificate; the text here is ours."),
    provenance: FieldProvenance { remediation: Provenance::Decided, ..FieldProvenance::SEEDED },
    attack: &["T1562.008"],
    boundary: Boundary::None("success and failure both fire"),
    trigger: Trigger::OnEvent { on: &[EventKind::DiagnosticSettingWritten], judge },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let HubEvent::DiagnosticSettingWritten { name, status, caller, .. } = event else { return };
    judgement.consider();
    raise_on_diagnostic_setting(judgement, name, *status, caller);
}

#[cfg(test)]
mod tests {
    use crate::Entity;
    use crate::tests::fixture::{
        World, certificate_written, diagnostic_setting_deleted, diagnostic_setting_written,
    };

    const SLUG: &str = "diagnostic-setting-edited";

    #[test]
    fn fires_on_each_attempt_with_an_alert_of_its_own() {
        let mut world = World::with_sas_device();
        world.see(1, diagnostic_setting_written("to-logs", 200, &["Connections"]));
        world.see(1, diagnostic_setting_written("to-logs", 403, &["Connections"]));
        let [first, second] = world.alerts(SLUG)[..] else { panic!("two operations, two alerts") };
        assert_eq!(
            (first.entity.clone(), &*first.facts["DescDiagnosticSettingName"]),
            (Entity::Hub, "to-logs")
        );
        let attempts = [first, second].map(|alert| alert.facts["DescAttemptStatusMessage"].clone());
        assert_eq!(attempts, ["successful", "unsuccessful"]);
    }

    #[test]
    fn at_the_boundary_between_success_and_failure_both_sides_fire() {
        for status in [200, 299, 300, 400, 500] {
            let mut world = World::with_sas_device();
            world.see(1, diagnostic_setting_written("to-logs", status, &["Connections"]));
            world.expect(SLUG, 1);
        }
    }

    #[test]
    fn stays_silent_on_other_operations() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_written("root-1", 403, None));
        world.see(1, diagnostic_setting_deleted("to-logs", 204, true));
        world.expect(SLUG, 0);
    }
}
