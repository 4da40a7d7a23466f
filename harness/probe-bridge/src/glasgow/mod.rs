//! The Glasgow Interface Explorer with the `probe-rs` applet, as its host driver sees it.
//!
//! Knows packets and commands; what a transfer does is the debug port's.

pub(crate) mod cobs;
