//! QEMU's machine protocol, for what the gdbstub does not tell: resets, the machine's first state, QEMU's end.
//!
//! Never commands the machine.

pub(crate) mod json;
pub(crate) mod monitor;
