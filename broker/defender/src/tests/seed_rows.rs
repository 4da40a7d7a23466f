//! The catalogue against the tables of the seed documents: the names in their rows, as written there.

use std::collections::BTreeSet;

use crate::Seed;
use crate::Seed::{AzureRtos, CustomAlerts, EclipseThreadX, IotHubAlerts, SecurityModule};
use crate::catalogue::entries;

/// Entries that no seed names: the management API does.
const BEYOND_THE_SEEDS: [&str; 1] = ["inbound-connection-not-allowed"];

/// The rows of each document, in its order, and the entry that each is about.
#[rustfmt::skip]
pub(super) const ROWS: &[(Seed, &str, &str)] = &[
    (EclipseThreadX, "Communication with a suspicious IP address detected", "suspicious-ip"),
    (EclipseThreadX, "X.509 device certificate thumbprint mismatch", "x509-thumbprint-mismatch"),
    (EclipseThreadX, "X.509 certificate expired", "x509-expired"),
    (EclipseThreadX, "Expired SAS Token", "sas-expired"),
    (EclipseThreadX, "Invalid SAS Token signature", "sas-invalid-signature"),
    (EclipseThreadX, "Detected unsuccessful attempt to add a certificate to an IoT Hub", "certificate-add-failed"),
    (EclipseThreadX, "Detected an attempt to add or edit a diagnostic setting of an IoT Hub", "diagnostic-setting-edited"),
    (EclipseThreadX, "Detected unsuccessful attempt to delete a certificate from an IoT Hub", "certificate-delete-failed"),
    (EclipseThreadX, "Detected attempt to delete a diagnostic setting from an IoT Hub", "diagnostic-setting-deleted"),
    (EclipseThreadX, "Detected deletion of a certificate from an IoT Hub", "certificate-deleted"),
    (EclipseThreadX, "Detected addition of new certificate to an IoT Hub", "certificate-added"),
    (EclipseThreadX, "Number of active connections isn't in the allowed range", "active-connections"),
    (EclipseThreadX, "Number of cloud to device messages in **MQTT** protocol isn't in the allowed range", "c2d-mqtt-device"),
    (EclipseThreadX, "Outbound connection to an IP that isn't allowed", "outbound-connection-not-allowed"),
    (EclipseThreadX, "Number of command queue purges outside the allowed range", "queue-purges"),
    (EclipseThreadX, "Number of Cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-mqtt"),
    (EclipseThreadX, "Number of device to cloud messages in **MQTT** protocol outside the allowed range", "d2c-mqtt"),
    (EclipseThreadX, "Number of direct method invokes outside the allowed range", "direct-methods"),
    (EclipseThreadX, "Number of rejected cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-rejected-mqtt"),
    (EclipseThreadX, "Number of updates to twin modules outside the allowed range", "twin-updates"),
    (EclipseThreadX, "Number of unauthorized operations outside the allowed range", "unauthorized-operations"),
    (EclipseThreadX, "Identical authentication credentials used by multiple devices", "identical-credentials"),
    (EclipseThreadX, "The Default IP filter policy should be set to **deny**", "ip-filter-default-deny"),
    (EclipseThreadX, "IP filter rule includes a large IP range", "ip-filter-large-range"),
    (EclipseThreadX, "Suggestion to enable diagnostics logs in IoT Hub", "diagnostics-logs"),
    (AzureRtos, "Communication with a suspicious IP address detected", "suspicious-ip"),
    (AzureRtos, "X.509 device certificate thumbprint mismatch", "x509-thumbprint-mismatch"),
    (AzureRtos, "X.509 certificate expired", "x509-expired"),
    (AzureRtos, "Expired SAS Token", "sas-expired"),
    (AzureRtos, "Invalid SAS Token signature", "sas-invalid-signature"),
    (AzureRtos, "Detected unsuccessful attempt to add a certificate to an IoT Hub", "certificate-add-failed"),
    (AzureRtos, "Detected an attempt to add or edit a diagnostic setting of an IoT Hub", "diagnostic-setting-edited"),
    (AzureRtos, "Detected unsuccessful attempt to delete a certificate from an IoT Hub", "certificate-delete-failed"),
    (AzureRtos, "Detected attempt to delete a diagnostic setting from an IoT Hub", "diagnostic-setting-deleted"),
    (AzureRtos, "Detected deletion of a certificate from an IoT Hub", "certificate-deleted"),
    (AzureRtos, "Detected addition of new certificate to an IoT Hub", "certificate-added"),
    (AzureRtos, "Number of active connections is not in the allowed range", "active-connections"),
    (AzureRtos, "Number of cloud to device messages in **MQTT** protocol is not in the allowed range", "c2d-mqtt-device"),
    (AzureRtos, "Outbound connection to an IP that isn't allowed", "outbound-connection-not-allowed"),
    (AzureRtos, "Number of command queue purges outside the allowed range", "queue-purges"),
    (AzureRtos, "Number of Cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-mqtt"),
    (AzureRtos, "Number of device to cloud messages in **MQTT** protocol outside the allowed range", "d2c-mqtt"),
    (AzureRtos, "Number of direct method invokes outside the allowed range", "direct-methods"),
    (AzureRtos, "Number of rejected cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-rejected-mqtt"),
    (AzureRtos, "Number of updates to twin modules outside the allowed range", "twin-updates"),
    (AzureRtos, "Number of unauthorized operations outside the allowed range", "unauthorized-operations"),
    (AzureRtos, "Identical authentication credentials used by multiple devices", "identical-credentials"),
    (AzureRtos, "The Default IP filter policy should be set to **deny**", "ip-filter-default-deny"),
    (AzureRtos, "IP filter rule includes a large IP range", "ip-filter-large-range"),
    (AzureRtos, "Suggestion to enable diagnostics logs in IoT Hub", "diagnostics-logs"),
    (CustomAlerts, "Custom alert - The number of active connections is outside the allowed range", "active-connections"),
    (CustomAlerts, "Custom alert - The outbound connection created to an IP that isn't allowed", "outbound-connection-not-allowed"),
    (CustomAlerts, "Custom alert - The number of failed local logins is outside the allowed range", "failed-local-logins"),
    (CustomAlerts, "Custom alert - The sign in of a user that isn't on the allowed user list", "local-user-not-allowed"),
    (CustomAlerts, "Custom alert - A process was executed that isn't allowed", "process-not-allowed"),
    (SecurityModule, "Communication with a suspicious IP address detected", "suspicious-ip"),
    (SecurityModule, "Thumbprint mismatch", "x509-thumbprint-mismatch"),
    (SecurityModule, "Expired", "x509-expired"),
    (SecurityModule, "Expired", "sas-expired"),
    (SecurityModule, "Invalid signature", "sas-invalid-signature"),
    (SecurityModule, "Detected addition of new certificate to an IoT Hub", "certificate-added"),
    (SecurityModule, "Detected deletion of a certificate from an IoT Hub", "certificate-deleted"),
    (SecurityModule, "Detected unsuccessful attempt to add a certificate to an IoT Hub", "certificate-add-failed"),
    (SecurityModule, "Detected unsuccessful attempt to delete a certificate from an IoT Hub", "certificate-delete-failed"),
    (SecurityModule, "Detected an attempt to add or edit a diagnostic setting of an IoT Hub", "diagnostic-setting-edited"),
    (SecurityModule, "Detected attempt to delete a diagnostic setting from an IoT Hub", "diagnostic-setting-deleted"),
    (SecurityModule, "Number of active connections is not in the allowed range", "active-connections"),
    (SecurityModule, "Number of cloud to device messages in **MQTT** protocol is not in the allowed range", "c2d-mqtt-device"),
    (SecurityModule, "Outbound connection to an IP that isn't allowed", "outbound-connection-not-allowed"),
    (SecurityModule, "Number of command queue purges outside the allowed range", "queue-purges"),
    (SecurityModule, "Number of Cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-mqtt"),
    (SecurityModule, "Number of device to cloud messages in **MQTT** protocol outside the allowed range", "d2c-mqtt"),
    (SecurityModule, "Number of direct method invokes outside the allowed range", "direct-methods"),
    (SecurityModule, "Number of rejected cloud to device messages in **MQTT** protocol outside the allowed range", "c2d-rejected-mqtt"),
    (SecurityModule, "Number of updates to twin modules outside the allowed range", "twin-updates"),
    (SecurityModule, "Number of unauthorized operations outside the allowed range", "unauthorized-operations"),
    (SecurityModule, "Identical authentication credentials used by multiple devices", "identical-credentials"),
    (SecurityModule, "The Default IP filter policy should be set to **deny**", "ip-filter-default-deny"),
    (SecurityModule, "IP filter rule includes large IP range", "ip-filter-large-range"),
    (SecurityModule, "Suggestion to enable diagnostics logs in IoT Hub", "diagnostics-logs"),
    (IotHubAlerts, "New certificate added to an IoT Hub.", "certificate-added"),
    (IotHubAlerts, "Certificate deleted from an IoT Hub.", "certificate-deleted"),
    (IotHubAlerts, "Unsuccessful attempt detected to add a certificate to an IoT Hub.", "certificate-add-failed"),
    (IotHubAlerts, "Unsuccessful attempt detected to delete a certificate from an IoT Hub.", "certificate-delete-failed"),
    (IotHubAlerts, "x.509 device certificate thumbprint mismatch.", "x509-thumbprint-mismatch"),
    (IotHubAlerts, "x.509 certificate expired.", "x509-expired"),
    (IotHubAlerts, "Attempt to add or edit a diagnostic setting of an IoT Hub detected.", "diagnostic-setting-edited"),
    (IotHubAlerts, "Attempt to delete a diagnostic setting from an IoT Hub detected.", "diagnostic-setting-deleted"),
    (IotHubAlerts, "Expired SAS Token.", "sas-expired"),
    (IotHubAlerts, "Invalid SAS token signature.", "sas-invalid-signature"),
    (IotHubAlerts, "Custom alert - The number of cloud-to-device messages in AMQP protocol is outside the allowed range.", "c2d-amqp"),
    (IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in AMQP protocol is outside the allowed range.", "c2d-rejected-amqp"),
    (IotHubAlerts, "Custom alert - The number of device-to-cloud messages in AMQP protocol is outside the allowed range.", "d2c-amqp"),
    (IotHubAlerts, "Custom alert - The number of times that a direct method is invoked is outside the allowed range.", "direct-methods"),
    (IotHubAlerts, "Custom alert - The number of file uploads is outside the allowed range.", "file-uploads"),
    (IotHubAlerts, "Custom alert - The number of cloud-to-device messages in HTTP protocol is outside the allowed range.", "c2d-http"),
    (IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in HTTP protocol is not in the allowed range.", "c2d-rejected-http"),
    (IotHubAlerts, "Custom alert - The number of device-to-cloud messages in HTTP protocol is outside the allowed range.", "d2c-http"),
    (IotHubAlerts, "Custom alert - The number of cloud-to-device messages in MQTT protocol is outside the allowed range.", "c2d-mqtt"),
    (IotHubAlerts, "Custom alert - The number of rejected cloud-to-device messages in MQTT protocol is outside the allowed range.", "c2d-rejected-mqtt"),
    (IotHubAlerts, "Custom alert - The number of device-to-cloud messages in MQTT protocol is outside the allowed range.", "d2c-mqtt"),
    (IotHubAlerts, "Custom alert - The number of command queue purges that are outside of the allowed range.", "queue-purges"),
    (IotHubAlerts, "Custom alert - The number of module twin updates is outside the allowed range.", "twin-updates"),
    (IotHubAlerts, "Custom alert - The number of unauthorized operations is outside the allowed range.", "unauthorized-operations"),
];

#[test]
fn the_tables_are_complete() {
    let rows = |seed| ROWS.iter().filter(|row| row.0 == seed).count();
    let seeds = [EclipseThreadX, AzureRtos, CustomAlerts, SecurityModule, IotHubAlerts];
    assert_eq!(seeds.map(rows), [25, 25, 5, 25, 24]);
}

#[test]
fn every_row_of_the_seeds_has_its_name_and_every_name_its_row() {
    let row = |(seed, text, slug): &(Seed, &str, &'static str)| {
        let words: Vec<_> = text.split_whitespace().collect();
        (*slug, *seed, words.join(" ").replace("**", ""))
    };
    let rows: BTreeSet<_> = ROWS.iter().map(row).collect();
    assert_eq!(rows.len(), ROWS.len());
    let names = entries().flat_map(|entry| entry.names.iter().map(|name| (entry.slug, name)));
    let of_seeds = names.filter(|(_, name)| name.seed != Seed::Beyond);
    let names: BTreeSet<_> = of_seeds.map(|(slug, name)| (slug, name.seed, name.text.to_owned())).collect();
    let (unmapped, unseeded) = (rows.difference(&names), names.difference(&rows));
    assert!(unmapped.clone().next().is_none(), "rows without an entry: {:#?}", unmapped.collect::<Vec<_>>());
    assert!(unseeded.clone().next().is_none(), "names without a row: {:#?}", unseeded.collect::<Vec<_>>());
}

#[test]
fn every_entry_is_named_by_a_seed_or_says_that_none_does() {
    for entry in entries() {
        let beyond = entry.names.iter().all(|name| name.seed == Seed::Beyond);
        assert_eq!(beyond, BEYOND_THE_SEEDS.contains(&entry.slug), "{}", entry.slug);
    }
    assert_eq!(entries().count() - BEYOND_THE_SEEDS.len(), 35, "defender.md 3 lists 35 rows");
}
