//! IoT Hub as a sans-I/O state machine.

mod config;
mod core;
mod hub;
mod security_message;
mod service;

pub use config::HubConfig;
pub use core::registry::{
    ClientIdentity, DeviceAuthentication, InvalidKey, InvalidThumbprint, SymmetricKey, Thumbprint,
};
pub use hub::{Hub, Input, Output};
pub use service::{DeviceView, HubError, MethodResult, MethodTicket, ServiceReply, ServiceRequest};
