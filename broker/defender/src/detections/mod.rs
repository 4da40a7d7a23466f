//! One file a detection: its metadata, its trigger, its tests.

pub(crate) mod d2c_mqtt;
pub(crate) mod sas_expired;
pub(crate) mod sas_invalid_signature;
pub(crate) mod suspicious_ip;
pub(crate) mod x509_expired;
pub(crate) mod x509_thumbprint_mismatch;
