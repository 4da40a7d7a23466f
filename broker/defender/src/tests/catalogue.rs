//! The catalogue against its folder and against the seeds' own tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Class, Seed, catalogue, detection};

#[test]
fn each_file_of_the_folder_is_listed_exactly_once_under_its_own_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detections");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    files.retain(|name| name != "mod.rs");
    files.sort_unstable();
    let mut listed: Vec<_> =
        catalogue().iter().map(|detection| detection.slug.replace('-', "_") + ".rs").collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
}

#[test]
fn slugs_are_kebab_case_and_find_their_detection() {
    for listed in catalogue() {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(listed.slug.chars().all(kebab), "{}", listed.slug);
        assert!(detection(listed.slug).is_some_and(|found| std::ptr::eq(found, *listed)));
    }
    assert!(detection("no-such-detection").is_none());
}

#[test]
fn every_entry_is_filled_in() {
    for entry in catalogue() {
        assert!(!entry.names.is_empty() && !entry.description.is_empty(), "{}", entry.slug);
        assert!(!entry.remediation.is_empty() && !entry.trigger.on().is_empty(), "{}", entry.slug);
        assert!(
            entry.class == Class::Recommendation || entry.alert_type.starts_with("IoT"),
            "{}",
            entry.slug
        );
    }
}

#[test]
fn alert_types_are_verbatim() {
    let types: BTreeMap<_, _> = catalogue().iter().map(|entry| (entry.slug, entry.alert_type)).collect();
    let documented = [
        ("suspicious-ip", "IoT_TiConnection"),
        ("x509-thumbprint-mismatch", "IoT_Cert_Print_Mismatch"),
        ("x509-expired", "IoT_Cert_Expired"),
        ("sas-expired", "IoT_Expired_SAS_Token"),
        ("sas-invalid-signature", "IoT_Invalid_SAS_Token"),
        ("d2c-mqtt", "IoT_CA_MqttD2CMessagesNotInAllowedRange"),
    ];
    assert_eq!(types, BTreeMap::from(documented));
}

/// Rows of the seeds' tables, as written there, and the detection each is about.
const ROWS: &[(Seed, &str, &str)] = &[
    (Seed::EclipseThreadX, " Communication with a suspicious IP address detected", "suspicious-ip"),
    (Seed::EclipseThreadX, "X.509 device certificate thumbprint mismatch", "x509-thumbprint-mismatch"),
    (Seed::EclipseThreadX, " X.509 certificate expired", "x509-expired"),
    (Seed::EclipseThreadX, " Expired SAS Token", "sas-expired"),
    (Seed::EclipseThreadX, " Invalid SAS Token signature", "sas-invalid-signature"),
    (
        Seed::EclipseThreadX,
        " Number of device to cloud messages in **MQTT** protocol outside the allowed range        ",
        "d2c-mqtt",
    ),
    (Seed::AzureRtos, " Communication with a suspicious IP address detected", "suspicious-ip"),
    (Seed::AzureRtos, "X.509 device certificate thumbprint mismatch", "x509-thumbprint-mismatch"),
    (Seed::AzureRtos, " X.509 certificate expired", "x509-expired"),
    (Seed::AzureRtos, " Expired SAS Token", "sas-expired"),
    (Seed::AzureRtos, " Invalid SAS Token signature", "sas-invalid-signature"),
    (
        Seed::AzureRtos,
        " Number of device to cloud messages in **MQTT** protocol outside the allowed range        ",
        "d2c-mqtt",
    ),
    (Seed::SecurityModule, " Communication with a suspicious IP address detected", "suspicious-ip"),
    (Seed::SecurityModule, "Thumbprint mismatch", "x509-thumbprint-mismatch"),
    (Seed::SecurityModule, " Expired", "x509-expired"),
    (Seed::SecurityModule, " Expired", "sas-expired"),
    (Seed::SecurityModule, " Invalid signature", "sas-invalid-signature"),
    (
        Seed::SecurityModule,
        " Number of device to cloud messages in **MQTT** protocol outside the allowed range        ",
        "d2c-mqtt",
    ),
    (Seed::IotHubAlerts, "x.509 device certificate thumbprint mismatch.", "x509-thumbprint-mismatch"),
    (Seed::IotHubAlerts, "x.509 certificate expired.", "x509-expired"),
    (Seed::IotHubAlerts, "Expired SAS Token.", "sas-expired"),
    (Seed::IotHubAlerts, "Invalid SAS token signature.", "sas-invalid-signature"),
    (
        Seed::IotHubAlerts,
        "Custom alert - The number of device-to-cloud messages in MQTT protocol is outside the allowed range.",
        "d2c-mqtt",
    ),
];

#[test]
fn every_row_of_the_seeds_has_its_name_and_every_name_its_row() {
    let row = |(seed, text, slug): &(Seed, &str, &'static str)| {
        let words: Vec<_> = text.split_whitespace().collect();
        (*slug, *seed, words.join(" ").replace("**", ""))
    };
    let rows: BTreeSet<_> = ROWS.iter().map(row).collect();
    assert_eq!(rows.len(), ROWS.len());
    let names = catalogue().iter().flat_map(|entry| entry.names.iter().map(|name| (entry.slug, name)));
    let names: BTreeSet<_> = names.map(|(slug, name)| (slug, name.seed, name.text.to_owned())).collect();
    assert_eq!(rows, names);
}
