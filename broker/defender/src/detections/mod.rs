//! One file a detection: its metadata, its trigger, its tests. Detections that differ by a protocol or an operation
//! only are rows of one file.

pub(crate) mod active_connections;
pub(crate) mod c2d_messages;
pub(crate) mod c2d_mqtt_device;
pub(crate) mod c2d_rejected_messages;
pub(crate) mod c2d_rejected_mqtt;
pub(crate) mod certificate_added;
pub(crate) mod certificate_deleted;
pub(crate) mod certificate_operation_failed;
pub(crate) mod d2c_messages;
pub(crate) mod diagnostic_setting_deleted;
pub(crate) mod diagnostic_setting_edited;
pub(crate) mod diagnostics_logs;
pub(crate) mod direct_methods;
pub(crate) mod failed_local_logins;
pub(crate) mod file_uploads;
pub(crate) mod identical_credentials;
pub(crate) mod inbound_connection_not_allowed;
pub(crate) mod ip_filter_default_deny;
pub(crate) mod ip_filter_large_range;
pub(crate) mod local_user_not_allowed;
pub(crate) mod outbound_connection_not_allowed;
pub(crate) mod process_not_allowed;
pub(crate) mod queue_purges;
pub(crate) mod sas_expired;
pub(crate) mod sas_invalid_signature;
pub(crate) mod suspicious_ip;
pub(crate) mod twin_updates;
pub(crate) mod unauthorized_operations;
pub(crate) mod x509_expired;
pub(crate) mod x509_thumbprint_mismatch;
