//! Arm's MPS2 boards. The FPGA images share these peripherals and differ in where they put them, so a target
//! is a map of addresses. It never decides what the device does.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod board;
mod lan9118;
mod uart;

pub use board::{Map, run};
pub use hilarm_device::{Guard, Memory};
