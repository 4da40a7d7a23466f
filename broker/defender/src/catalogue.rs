//! The catalogue: every detection, listed once. A detection is a file of `detections/` and a line here.

use crate::detection::Detection;
use crate::detections::{
    d2c_mqtt, sas_expired, sas_invalid_signature, suspicious_ip, x509_expired, x509_thumbprint_mismatch,
};

/// In the order of defender.md 3.
static CATALOGUE: &[&Detection] = &[
    &suspicious_ip::DETECTION,
    &x509_thumbprint_mismatch::DETECTION,
    &x509_expired::DETECTION,
    &sas_expired::DETECTION,
    &sas_invalid_signature::DETECTION,
    &d2c_mqtt::DETECTION,
];

/// Every detection.
pub fn catalogue() -> &'static [&'static Detection] {
    CATALOGUE
}

/// The detection with this slug.
pub fn detection(slug: &str) -> Option<&'static Detection> {
    CATALOGUE.iter().copied().find(|detection| detection.slug == slug)
}
