//! The catalogue against its folder and against itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::entries;
use crate::{Class, catalogue, detection, recommendation_catalogue};

#[test]
fn each_file_of_the_folder_holds_detections_that_are_listed_and_each_detection_has_one_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detections");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| !path.ends_with("mod.rs"));
    let texts: BTreeMap<_, _> =
        files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    let mut holding = BTreeSet::new();
    for entry in entries() {
        let row = format!("slug: \"{}\",", entry.slug);
        let held = texts.iter().filter(|(_, text)| text.contains(&row)).map(|(path, _)| path);
        let [file] = held.collect::<Vec<_>>()[..] else { panic!("{} has not one file", entry.slug) };
        // A detection alone in its file gives it its name.
        let alone = texts[file].matches(": Detection = ").count() == 1;
        let named = file.file_stem().unwrap().to_string_lossy() == entry.slug.replace('-', "_");
        assert_eq!(alone, named, "{} in {}", entry.slug, file.display());
        holding.insert(file);
    }
    assert!(
        texts.keys().all(|file| holding.contains(file)),
        "a file without a listed detection: {holding:?}"
    );
    let rows: usize = texts.values().map(|text| text.matches(": Detection = ").count()).sum();
    assert_eq!(rows, entries().count(), "a row that nobody listed");
}

#[test]
fn slugs_are_kebab_case_and_find_their_detection() {
    for listed in entries() {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(listed.slug.chars().all(kebab), "{}", listed.slug);
        assert!(detection(listed.slug).is_some_and(|found| std::ptr::eq(found, listed)));
    }
    assert!(detection("no-such-detection").is_none());
}

#[test]
fn every_entry_is_filled_in() {
    for entry in entries() {
        assert!(!entry.names.is_empty() && !entry.description.is_empty(), "{}", entry.slug);
        assert!(!entry.remediation.is_empty() && !entry.trigger.on().is_empty(), "{}", entry.slug);
    }
}

#[test]
fn alert_types_are_verbatim() {
    let types: BTreeMap<_, _> = entries().map(|entry| (entry.slug, entry.alert_type)).collect();
    let documented = [
        ("suspicious-ip", "IoT_TiConnection"),
        ("x509-thumbprint-mismatch", "IoT_Cert_Print_Mismatch"),
        ("x509-expired", "IoT_Cert_Expired"),
        ("sas-expired", "IoT_Expired_SAS_Token"),
        ("sas-invalid-signature", "IoT_Invalid_SAS_Token"),
        ("certificate-added", "IoT_CertificateSuccessfullyAddedToHub"),
        ("certificate-deleted", "IoT_CertificateSuccessfullyDeletedFromHub"),
        ("certificate-add-failed", "Hub_CertificateFailedToBeAddedToHub"),
        ("certificate-delete-failed", "IoT.Hub_CertificateFailedToBeDeletedFromHub"),
        ("diagnostic-setting-edited", "IoT_DiagnosticSettingAddedOrEditedOnHub"),
        ("diagnostic-setting-deleted", "IoT_DiagnosticSettingDeletedFromHub"),
        ("identical-credentials", "IoT_SharedCredentials"),
        ("ip-filter-default-deny", "IoT_IPFilter_DenyAll"),
        ("ip-filter-large-range", "IoT_IPFilter_PermissiveRule"),
        ("diagnostics-logs", "IoT_DiagnosticsMode"),
        ("active-connections", "IoT_CA_ActiveConnectionsNotInAllowedRange"),
        ("c2d-mqtt-device", "IoT_CA_MqttC2DMessagesNotInAllowedRange"),
        ("c2d-mqtt", "IoT_CA_MqttC2DMessagesNotInAllowedRange"),
        ("c2d-amqp", "IoT_CA_AmqpC2DMessagesNotInAllowedRange"),
        ("c2d-http", "IoT_CA_HttpC2DMessagesNotInAllowedRange"),
        ("c2d-rejected-mqtt", "IoT_CA_MqttC2DRejectedMessagesNotInAllowedRange"),
        ("c2d-rejected-amqp", "IoT_CA_AmqpC2DRejectedMessagesNotInAllowedRange"),
        ("c2d-rejected-http", "IoT_CA_HttpC2DRejectedMessagesNotInAllowedRange"),
        ("d2c-mqtt", "IoT_CA_MqttD2CMessagesNotInAllowedRange"),
        ("d2c-amqp", "IoT_CA_AmqpD2CMessagesNotInAllowedRange"),
        ("d2c-http", "IoT_CA_HttpD2CMessagesNotInAllowedRange"),
        ("direct-methods", "IoT_CA_DirectMethodInvokesNotInAllowedRange"),
        ("file-uploads", "IoT_CA_FileUploadsNotInAllowedRange"),
        ("queue-purges", "IoT_CA_QueuePurgesNotInAllowedRange"),
        ("twin-updates", "IoT_CA_TwinUpdatesNotInAllowedRange"),
        ("unauthorized-operations", "IoT_CA_UnauthorizedOperationsNotInAllowedRange"),
        ("failed-local-logins", "IoT_CA_FailedLocalLoginsNotInAllowedRange"),
        ("outbound-connection-not-allowed", "IoT_CA_ConnectionToIpNotAllowed"),
        ("inbound-connection-not-allowed", "IoT_CA_ConnectionFromIpNotAllowed"),
        ("local-user-not-allowed", "IoT_CA_LocalUserNotAllowed"),
        ("process-not-allowed", "IoT_CA_ProcessNotAllowed"),
    ];
    assert_eq!(types, BTreeMap::from(documented));
}

#[test]
fn recommendations_are_apart_from_alerts() {
    assert!(catalogue().iter().all(|entry| entry.class != Class::Recommendation));
    assert!(recommendation_catalogue().iter().all(|entry| entry.class == Class::Recommendation));
    assert_eq!((catalogue().len(), recommendation_catalogue().len()), (32, 4));
}
