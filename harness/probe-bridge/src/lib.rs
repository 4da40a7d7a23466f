//! QEMU's gdbstub as a debug probe.
//!
//! The bridge stands between an emulated Cortex-M and a debugger that knows only real probes. On one side it is a client
//! of QEMU's gdbstub and of its QMP socket; on the other it is a Glasgow Interface Explorer that runs the `probe-rs`
//! applet, which the stock probe-rs library and command line reach through a socket. Between the two it is what the
//! silicon would have: an ADIv5 debug port, a memory access port, and the core's debug registers.
//!
//! The client of the gdbstub serves also whoever wants a QEMU loaded, reset and let run without a debugger.
//!
//! It never starts or stops QEMU, never knows what firmware runs, and holds no test switch. It listens on a Unix socket
//! or on the loopback interface only. Every wait for QEMU is bounded; when QEMU goes, or the bridge is stopped, the
//! debugger's next or pending operation fails at once.
//!
//! Implements section 1 of `probe-serial-containers.md`.

mod adi;
mod bridge;
mod config;
mod debug;
mod error;
mod gdb;
mod glasgow;
mod link_error;
mod qmp;
mod stream;

pub use bridge::{Bridge, Ended};
pub use config::{BridgeConfig, CoreKind, Endpoint, Listen};
pub use error::BridgeError;
pub use gdb::client::{Client as GdbClient, Stop};
pub use link_error::LinkError;
