//! Somebody tried to delete a diagnostic setting of the hub, with or without success.

use hilarm_model::HubEvent;

use crate::control_plane::raise_on_diagnostic_setting;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "diagnostic-setting-deleted",
    names: &[
        Name::new(Seed::EclipseThreadX, "Detected attempt to delete a diagnostic setting from an IoT Hub"),
        Name::new(Seed::AzureRtos, "Detected attempt to delete a diagnostic setting from an IoT Hub"),
        Name::new(Seed::SecurityModule, "Detected attempt to delete a diagnostic setting from an IoT Hub"),
        Name::new(Seed::IotHubAlerts, "Attempt to delete a diagnostic setting from an IoT Hub detected."),
    ],
    scope: Scope::Hub,
    class: Class::BuiltIn,
    severity: Severity::Low,
    data_source: DataSource::IotHub,
    alert_type: "IoT_DiagnosticSettingDeletedFromHub",
    description: "An attempt was made to delete a diagnostic setting of the IoT Hub. Diagnostic settings keep the activity trail by which an incident is investigated; if no authorised party did it, it may be the preparation of an attack or the covering of one.",
    remediation: &["Grant the right to change diagnostic settings to authorised parties only."],
    placeholders: &["DescAttemptStatusMessage", "DescDiagnosticSettingName", "DescIoTHubName"],
    erratum: Some(
        "004's description says `add or edit` where it means delete, and holds an unbalanced quote.",
    ),
    provenance: FieldProvenance::SEEDED,
    attack: &["T1562.008"],
    boundary: Boundary::None("success and failure both fire"),
    trigger: Trigger::OnEvent { on: &[EventKind::DiagnosticSettingDeleted], judge },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let HubEvent::DiagnosticSettingDeleted { name, status, caller, .. } = event else { return };
    judgement.consider();
    raise_on_diagnostic_setting(judgement, name, *status, caller);
}

#[cfg(test)]
mod tests {
    use crate::Entity;
    use crate::tests::fixture::{
        World, certificate_written, diagnostic_setting_deleted, diagnostic_setting_written,
    };

    const SLUG: &str = "diagnostic-setting-deleted";

    #[test]
    fn fires_on_each_attempt_with_an_alert_of_its_own() {
        let mut world = World::with_sas_device();
        world.see(1, diagnostic_setting_deleted("to-logs", 200, true));
        world.see(1, diagnostic_setting_deleted("to-logs", 403, true));
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
            world.see(1, diagnostic_setting_deleted("to-logs", status, true));
            world.expect(SLUG, 1);
        }
    }

    #[test]
    fn stays_silent_on_other_operations() {
        let mut world = World::with_sas_device();
        world.see(1, certificate_written("root-1", 403, None));
        world.see(1, diagnostic_setting_written("to-logs", 200, &[]));
        world.expect(SLUG, 0);
    }
}
