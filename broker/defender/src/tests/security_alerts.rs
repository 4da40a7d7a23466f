//! The `SecurityAlert` shape (defender.md 4.1), and defender.md 5, Snapshots: ids that repeat.

use std::collections::BTreeSet;

use hilarm_model::RefusalCause::SasInvalidSignature;
use hilarm_model::Timestamp;
use serde_json::{Value, json};

use super::fixture::{DEVICE, World, flow, group, refused, registered, report, threats};
use crate::{AlertContext, security_alert};

/// The columns as Log Analytics lists them.
const COLUMNS: &str = "AlertLink, AlertName, AlertSeverity, AlertType, CompromisedEntity, ConfidenceLevel, \
    ConfidenceScore, Description, DisplayName, EndTime, Entities, ExtendedLinks, ExtendedProperties, \
    IsIncident, ProcessingEndTime, ProductComponentName, ProductName, ProviderName, RemediationSteps, \
    ResourceId, SourceComputerId, StartTime, Status, SubTechniques, SystemAlertId, Tactics, Techniques, \
    TimeGenerated, Type, VendorName, VendorOriginalId, WorkspaceResourceGroup, WorkspaceSubscriptionId";

fn context() -> AlertContext {
    AlertContext::new("hub", "device/suspicious-ip")
}

/// Two devices, both of which send too much, present a bad token and talk to two bad addresses, twice.
fn world() -> World {
    let mut world = World::provisioned(group(0, 0, 60));
    world.see(-1, registered("pump-2", "default"));
    world.see(-1, threats("198.51.100.0/24"));
    world.start();
    for (second, device) in [(1, DEVICE), (2, "pump-2"), (4000, DEVICE), (4000, "pump-2")] {
        world.see(second, report(device, vec![flow("198.51.100.1", 1, 1), flow("198.51.100.2", 1, 1)]));
        world.see(second, refused(device, [SasInvalidSignature]));
        world.see_telemetry(second, device, 1);
    }
    world
}

fn rows(context: &AlertContext) -> Vec<Value> {
    let row = |alert| serde_json::to_value(security_alert(alert, context)).unwrap();
    world().defender.alerts().iter().map(row).collect()
}

#[test]
fn every_column_is_there_and_no_other() {
    let columns: BTreeSet<_> = COLUMNS.split(", ").collect();
    for row in rows(&context()) {
        assert_eq!(row.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), columns);
    }
}

#[test]
fn the_row_of_a_suspicious_address_reads_as_log_analytics_writes_it() {
    let row = &rows(&context())[0];
    for (column, value) in [
        ("AlertType", "IoT_TiConnection"),
        ("AlertSeverity", "Medium"),
        ("AlertName", "Communication with a suspicious IP address detected"),
        ("CompromisedEntity", DEVICE),
        ("StartTime", "2026-01-01T00:00:01Z"),
        ("ProviderName", "IoTSecurity"),
        ("ProductName", "Azure Security Center for IoT"),
        ("VendorName", "Microsoft"),
        ("Type", "SecurityAlert"),
        ("Tactics", "CommandAndControl, Exfiltration"),
        ("Techniques", r#"["T1071","T1041","T0869","T0885"]"#),
        ("SubTechniques", "[]"),
        (
            "ResourceId",
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hilarm/providers/Microsoft.Devices/IotHubs/hub",
        ),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    let inner = |column: &str| -> Value { serde_json::from_str(row[column].as_str().unwrap()).unwrap() };
    let properties = json!({
        "DeviceId": DEVICE, "RemoteAddress": "198.51.100.1", "RemotePort": "1883", "LocalPort": "49152"
    });
    assert_eq!(inner("ExtendedProperties"), properties);
    assert_eq!(inner("Entities")[1]["DeviceId"], DEVICE);
    assert_eq!(inner("Entities")[2], json!({ "$id": "3", "Address": "198.51.100.1", "Type": "ip" }));
    assert!(inner("RemediationSteps").as_array().is_some_and(|steps| !steps.is_empty()));
}

#[test]
fn every_device_alert_carries_its_device_id() {
    for row in rows(&context()) {
        let properties: Value = serde_json::from_str(row["ExtendedProperties"].as_str().unwrap()).unwrap();
        assert_eq!(properties["DeviceId"], row["CompromisedEntity"]);
    }
}

#[test]
fn snapshots_ids_repeat_in_the_same_scenario_and_never_twice_within_it() {
    let ids = |context: &AlertContext| -> Vec<Value> {
        rows(context).iter().map(|row| row["SystemAlertId"].clone()).collect()
    };
    let first = ids(&context());
    assert_eq!(first, ids(&context()));
    let distinct: BTreeSet<_> = first.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 2 * 2 * 4);
    let other = ids(&AlertContext::new("hub", "another"));
    assert!(first.iter().all(|id| !other.contains(id)));
}

#[test]
fn times_beyond_the_calendar_are_written_as_the_nearest_that_can_be() {
    let text = |micros| crate::security_alert::time_text(Timestamp::from_micros(micros));
    assert!(text(i64::MAX).starts_with("9999-12-3"));
    assert!(text(i64::MIN).starts_with("-009999-01-0"));
}
