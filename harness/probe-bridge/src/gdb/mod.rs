//! A client of QEMU's gdbstub.
//!
//! Knows the remote protocol and QEMU's habits with it; what registers and addresses mean is `debug`'s.

pub(crate) mod client;
pub(crate) mod hex;
pub(crate) mod packet;
pub(crate) mod target_xml;

#[cfg(test)]
mod client_tests;
