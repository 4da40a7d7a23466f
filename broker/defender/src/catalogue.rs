//! The catalogue: every detection, listed once. A detection is a file of `detections/`, or a row of
//! one, and a line here.

use crate::detection::Detection;
use crate::detections::*;

/// Alerts, in the order of defender.md 3.
static CATALOGUE: &[&Detection] = &[
    &suspicious_ip::DETECTION,
    &x509_thumbprint_mismatch::DETECTION,
    &x509_expired::DETECTION,
    &sas_expired::DETECTION,
    &sas_invalid_signature::DETECTION,
    &certificate_added::DETECTION,
    &certificate_deleted::DETECTION,
    &certificate_operation_failed::ADD,
    &certificate_operation_failed::DELETE,
    &diagnostic_setting_edited::DETECTION,
    &diagnostic_setting_deleted::DETECTION,
    &active_connections::DETECTION,
    &c2d_mqtt_device::DETECTION,
    &c2d_messages::MQTT,
    &c2d_messages::AMQP,
    &c2d_messages::HTTP,
    &c2d_rejected_mqtt::DETECTION,
    &c2d_rejected_messages::AMQP,
    &c2d_rejected_messages::HTTP,
    &d2c_messages::MQTT,
    &d2c_messages::AMQP,
    &d2c_messages::HTTP,
    &direct_methods::DETECTION,
    &file_uploads::DETECTION,
    &queue_purges::DETECTION,
    &twin_updates::DETECTION,
    &unauthorized_operations::DETECTION,
    &outbound_connection_not_allowed::DETECTION,
    &inbound_connection_not_allowed::DETECTION,
    &failed_local_logins::DETECTION,
    &local_user_not_allowed::DETECTION,
    &process_not_allowed::DETECTION,
];

/// Recommendations, in the order of defender.md 3.3.
static RECOMMENDATIONS: &[&Detection] = &[
    &identical_credentials::DETECTION,
    &ip_filter_default_deny::DETECTION,
    &ip_filter_large_range::DETECTION,
    &diagnostics_logs::DETECTION,
];

/// Every detection that raises alerts.
pub fn catalogue() -> &'static [&'static Detection] {
    CATALOGUE
}

/// Every detection that raises a recommendation.
pub fn recommendation_catalogue() -> &'static [&'static Detection] {
    RECOMMENDATIONS
}

/// The detection with this slug, whether it raises alerts or a recommendation.
pub fn detection(slug: &str) -> Option<&'static Detection> {
    entries().find(|detection| detection.slug == slug)
}

/// Alerts, then recommendations.
pub(crate) fn entries() -> impl Iterator<Item = &'static Detection> {
    CATALOGUE.iter().chain(RECOMMENDATIONS).copied()
}
