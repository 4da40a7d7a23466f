//! The device side: what a device does towards IoT Hub (SAS tokens, MQTT, twin, direct methods, telemetry),
//! the Defender micro agent on it, and the malicious behaviours that a scenario may switch on.
//!
//! Sans-I/O and `no_std`: the same code runs in QEMU firmware and in the host's `sim` backend. It never
//! reads a clock, opens a socket or looks for randomness: time comes with every call, bytes come and go as
//! [`Input`] and [`Output`], and every random stream derives from the configured seed and a component name.
//!
//! Malice lives in [`behaviours`] only, and changes device state only; security events are built by the
//! collectors only, from what the device really did.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod agent;
mod backoff;
mod collectors;
mod device;
mod flatbuffers;
mod flows;
mod https;
mod hub;
mod identity;
mod io;
mod mqtt;
mod random;
mod state;
mod telemetry;

pub mod behaviours;
pub mod sas;
pub mod security_message;

#[cfg(test)]
mod testing;

pub use agent::Agent;
pub use flows::{Direction, Flow, FlowKey, FlowProtocol, FlowTable};
pub use io::{Crash, Input, MAX_SOCKETS, Now, Output, Remote, Socket, Tls};
