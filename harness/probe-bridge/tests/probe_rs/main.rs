//! The stock probe-rs library on QEMU through the bridge, on a Cortex-M3 and a Cortex-M33.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

/// Makes one test of each function for each board.
macro_rules! on_each_board {
    ($($test:ident),* $(,)?) => {
        mod mps2_an385 {
            $(#[test] fn $test() { super::$test(crate::emulator::MPS2_AN385); })*
        }
        mod mps2_an505 {
            $(#[test] fn $test() { super::$test(crate::emulator::MPS2_AN505); })*
        }
    };
}

mod attaching;
mod emulator;
mod ends;
mod faults;
mod image;
mod memory;
mod run_control;
