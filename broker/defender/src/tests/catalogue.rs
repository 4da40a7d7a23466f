//! The catalogue against its folder and against itself.

use std::collections::BTreeMap;

use crate::catalogue::entries;
use crate::{Class, catalogue, detection, recommendation_catalogue};

#[test]
fn each_file_of_the_folder_is_listed_exactly_once_under_its_own_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detections");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    files.retain(|name| name != "mod.rs");
    files.sort_unstable();
    let mut listed: Vec<_> = entries().map(|detection| detection.slug.replace('-', "_") + ".rs").collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
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
