//! Mutants of what a rule takes a run for: all devices are one, or monitoring had started from its beginning.

use hilarm_defender::{Rule, Scope, Trigger};
use hilarm_model::{DeviceId, HubEvent, HubRecord};
use serde_json::Value;

use super::super::mutant::{Fold, Mutant};

/// Mutants of whole runs, for range rules and for the other alerts.
pub(super) fn of_all(rows: &[Rule]) -> Vec<Mutant> {
    let is_range = |row: &Rule| matches!(row.detection.trigger, Trigger::CountInWindow { .. });
    let is_alert = |row: &Rule| !matches!(row.detection.trigger, Trigger::Posture { .. });
    let those = |wanted: &dyn Fn(&Rule) -> bool| {
        Fold::of_all(&rows.iter().filter(|row| wanted(row)).cloned().collect::<Vec<_>>())
    };
    let of_devices = |row: &Rule| row.detection.scope == Scope::Device && is_alert(row);
    vec![
        Mutant::of_rows("range rules", "all devices are one", "d2c-mqtt", those(&is_range).reading(as_one)),
        Mutant::of_rows(
            "alerts on devices",
            "all devices are one",
            "sas-invalid-signature",
            those(&|row| of_devices(row) && !is_range(row)).reading(as_one),
        ),
        Mutant::of_rows(
            "range rules",
            "events before monitoring starts count",
            "d2c-mqtt",
            those(&is_range).reading(monitored_from_the_beginning),
        ),
        Mutant::of_rows(
            "alerts",
            "events before monitoring starts raise them",
            "certificate-added",
            those(&|row| is_alert(row) && !is_range(row)).reading(monitored_from_the_beginning),
        ),
    ]
}

/// The run as it would be if everything were about the device that was registered first.
fn as_one(records: &[HubRecord]) -> Vec<HubRecord> {
    let first = records.iter().find_map(|record| match &record.event {
        HubEvent::DeviceRegistered { device, .. } => Some(device.clone()),
        _ => None,
    });
    let renamed = |record: &HubRecord| match &first {
        Some(device) => about(device, record),
        None => record.clone(),
    };
    records.iter().map(renamed).collect()
}

/// The record with this device in the place of its own, whatever kind of event it is.
fn about(device: &DeviceId, record: &HubRecord) -> HubRecord {
    let mut event = serde_json::to_value(&record.event).unwrap_or_default();
    for field in event.as_object_mut().into_iter().flat_map(|variant| variant.values_mut()) {
        if let Some(own @ Value::String(_)) = field.get_mut("device") {
            *own = Value::String(device.to_string());
        }
    }
    serde_json::from_value(event).map_or_else(|_| record.clone(), |event| HubRecord { at: record.at, event })
}

/// The run with the start of monitoring as its first record.
fn monitored_from_the_beginning(records: &[HubRecord]) -> Vec<HubRecord> {
    let mut records = records.to_vec();
    if let Some(at) = records.iter().position(|record| record.event == HubEvent::MonitoringStarted) {
        let begins = records[0].at;
        records[..=at].rotate_right(1);
        records[0].at = begins;
    }
    records
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hilarm_model::{RegisteredAuthentication, Timestamp};

    use super::*;

    fn registered(device: &str) -> HubEvent {
        let device = DeviceId::new(device).unwrap();
        let authentication = RegisteredAuthentication::CertificateAuthority;
        HubEvent::DeviceRegistered { device, authentication, security_group: "default".into() }
    }

    fn run(events: impl IntoIterator<Item = HubEvent>) -> Vec<HubRecord> {
        let at = |second| Timestamp::default() + Duration::from_secs(second);
        (0..).map(at).zip(events).map(|(at, event)| HubRecord { at, event }).collect()
    }

    #[test]
    fn everything_is_about_the_first_device() {
        let read = |device: &str| HubEvent::TwinRead { device: DeviceId::new(device).unwrap(), module: None };
        let seen = as_one(&run([registered("b"), registered("a"), HubEvent::MonitoringStarted, read("a")]));
        assert_eq!(seen, run([registered("b"), registered("b"), HubEvent::MonitoringStarted, read("b")]));
    }

    #[test]
    fn monitoring_starts_with_the_run_and_nothing_else_moves() {
        let seen = monitored_from_the_beginning(&run([
            registered("a"),
            registered("b"),
            HubEvent::MonitoringStarted,
            registered("c"),
        ]));
        let events: Vec<_> = seen.iter().map(|record| record.event.clone()).collect();
        let wanted = [HubEvent::MonitoringStarted, registered("a"), registered("b"), registered("c")];
        assert_eq!(events, wanted);
        assert_eq!(seen.iter().map(|record| record.at.as_secs()).collect::<Vec<_>>(), [0, 0, 1, 3]);
    }
}
