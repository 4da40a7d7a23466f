//! What the tests of the hub's container image share: the hub in a container that can be made to fail, and a
//! device in QEMU whose connections leave the virtual network for it, in real time.
//!
//! Real container engine, real TLS from the emulated processor to the container, no runner: its world grants
//! virtual time to a hub in the same process, and this hub lives elsewhere.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a failed assumption is a failed test")]

mod device;
mod hub;

pub use device::Device;
pub use hub::{Hub, IMAGE, engine};
