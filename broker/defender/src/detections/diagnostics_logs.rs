//! No diagnostic setting of the hub keeps any log.
//!
//! Healthy is a hub with at least one setting in which at least one log category is enabled.

use std::collections::BTreeSet;

use hilarm_model::{HubEvent, Tuning};

use crate::control_plane::succeeded;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Provenance, Scope, Seed, Severity, Trigger,
};
use crate::kind::EventKind;
use crate::posture::{Finding, Posture};

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "diagnostics-logs",
    names: &[
        Name::new(Seed::EclipseThreadX, "Suggestion to enable diagnostics logs in IoT Hub"),
        Name::new(Seed::AzureRtos, "Suggestion to enable diagnostics logs in IoT Hub"),
        Name::new(Seed::SecurityModule, "Suggestion to enable diagnostics logs in IoT Hub"),
    ],
    scope: Scope::Hub,
    class: Class::Recommendation,
    severity: Severity::Low,
    data_source: DataSource::IotHub,
    alert_type: "IoT_DiagnosticsMode",
    description: "The IoT Hub keeps no activity trail: after an incident nobody can tell what happened.",
    remediation: &["Add a diagnostic setting with at least one enabled log category."],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance { alert_type: Provenance::Decided, ..FieldProvenance::RECOMMENDED },
    attack: &["T1562.008"],
    boundary: Boundary::None("a log category is enabled or none is"),
    trigger: Trigger::Posture {
        on: &[EventKind::DiagnosticSettingWritten, EventKind::DiagnosticSettingDeleted],
        begin: || Box::new(DiagnosticsLogs::default()),
    },
};

/// The names of the settings that keep a log.
#[derive(Debug, Default)]
struct DiagnosticsLogs(BTreeSet<String>);

impl Posture for DiagnosticsLogs {
    fn see(&mut self, event: &HubEvent, _: Tuning) -> bool {
        match event {
            HubEvent::DiagnosticSettingWritten { name, status, enabled_categories, .. }
                if succeeded(*status) =>
            {
                if enabled_categories.is_empty() {
                    self.0.remove(&name.to_lowercase())
                } else {
                    self.0.insert(name.to_lowercase())
                }
            }
            HubEvent::DiagnosticSettingDeleted { name, status, .. } if succeeded(*status) => {
                self.0.remove(&name.to_lowercase())
            }
            _ => false,
        }
    }

    fn finding(&self, _: Tuning) -> Option<Finding> {
        self.0.is_empty().then(Finding::default)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, at, diagnostic_setting_deleted, diagnostic_setting_written};

    const SLUG: &str = "diagnostics-logs";

    #[test]
    fn fires_when_the_last_setting_goes_and_resolves_when_one_keeps_a_log_again() {
        let mut world = World::default();
        world.see(-1, diagnostic_setting_written("to-logs", 200, &["Connections"]));
        world.start();
        assert!(world.active(SLUG).is_none());
        world.see(1, diagnostic_setting_deleted("To-Logs", 204, true));
        assert_eq!(world.active(SLUG).unwrap().since, at(1));
        world.see(2, diagnostic_setting_written("to-logs", 200, &["Connections"]));
        assert_eq!(world.resolved(SLUG).unwrap().changed, at(2));
    }

    #[test]
    fn at_the_boundary_one_enabled_category_is_enough_and_none_is_not() {
        for (categories, weak) in [(&["Connections"][..], false), (&[], true)] {
            let mut world = World::default();
            world.see(-1, diagnostic_setting_written("to-logs", 200, categories));
            world.start();
            assert_eq!(world.active(SLUG).is_some(), weak);
        }
    }

    #[test]
    fn stays_silent_on_failed_operations_and_while_another_setting_keeps_a_log() {
        let mut world = World::default();
        world.see(-1, diagnostic_setting_written("to-logs", 200, &["Connections"]));
        world.see(-1, diagnostic_setting_written("to-hub", 200, &["Routes"]));
        world.start();
        world.see(1, diagnostic_setting_deleted("to-logs", 403, true));
        world.see(2, diagnostic_setting_written("to-logs", 403, &[]));
        world.see(3, diagnostic_setting_deleted("to-hub", 204, true));
        assert!(world.active(SLUG).is_none() && world.resolved(SLUG).is_none());
    }
}
