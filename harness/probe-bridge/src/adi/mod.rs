//! The Arm Debug Interface, version 5: a debug port and one memory access port.
//!
//! Knows registers and transfers; what is on the bus is `debug`'s. ADIv5.2, parts B and C.

pub(crate) mod bus;
pub(crate) mod debug_port;
pub(crate) mod memory_port;
