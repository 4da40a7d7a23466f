//! `hilarm` as a stranger meets it: a binary with arguments, in a project folder of its own. Each test holds it
//! to a message and an exit code, and to an end within bounds.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

mod boards;
mod broken_firmware;
mod broken_probe;
mod broken_qemu;
mod coverage;
mod elf;
mod ending;
mod hub;
mod mutate;
mod output_shapes;
mod project;
mod reports;
mod security_groups;
mod snapshots;
mod support;
mod wrong_scenarios;
