//! The core's debug hardware, as a debugger on the bus sees it: ARMv7-M C1, ARMv8-M chapter B12.
//!
//! Registers and their effects on a machine; knows neither the debug port above nor the remote protocol below.

pub(crate) mod catches;
pub(crate) mod core;
pub(crate) mod core_registers;
pub(crate) mod dhcsr;
pub(crate) mod fpb;
pub(crate) mod inject;
pub(crate) mod machine;
pub(crate) mod memory_map;
pub(crate) mod vectors;

#[cfg(test)]
mod core_tests;
#[cfg(test)]
pub(crate) mod fake;
