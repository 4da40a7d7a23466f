//! Drivers of Arm's MPS2 boards. The FPGA images share these peripherals and differ in where they put them,
//! so every driver takes its address.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod lan9118;
mod uart;

pub use lan9118::Lan9118;
pub use uart::{Console, LinkUart};
