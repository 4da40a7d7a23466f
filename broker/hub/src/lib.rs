//! IoT Hub as a sans-I/O state machine: identities, authentication with exact causes, MQTT 3.1.1, twins,
//! direct methods, cloud-to-device messages, file uploads, security messages decoded into facts, and the
//! service and management planes with the rights of their callers.
//!
//! `core` is protocol-neutral; `mqtt` and `https` are adapters on it; `security_message` decodes what Defender
//! agents send. This room never learns that it is attacked: it answers as IoT Hub answers and records facts. It
//! reads no clock, no environment and no socket: [`Hub`] takes time and seed as arguments.

mod config;
mod core;
mod https;
mod hub;
mod mqtt;
mod security_message;
mod service;

pub use config::{HubConfig, Telling, Throttling};
pub use core::auth::{
    Authentication, CertificateClaim, CertificateEvidence, Check, Checks, IdentityClaim, Reading, Refuses,
    ThumbprintDigest, Thumbprints, TokenClaim,
};
pub use core::management::security_group_body::{InvalidSecurityGroup, read_security_group};
pub use core::registry::{
    ClientIdentity, DeviceAuthentication, InvalidKey, InvalidThumbprint, SymmetricKey, Thumbprint,
};
pub use hub::{Hub, Input, Listener, Output};
pub use service::{
    BlobWrite, Caller, DeviceView, Feedback, FeedbackOutcome, FileNotification, HubError, KeyName,
    ManagedReply, MethodResult, MethodTicket, ReceivedCloudToDevice, Right, ServiceReply, ServiceRequest,
    Settlement, Told, UnknownRight, UploadGrant,
};
