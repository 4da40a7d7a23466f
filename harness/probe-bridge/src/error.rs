//! Why a bridge could not be built.

use std::io;
use std::time::Duration;

use crate::config::Endpoint;

/// Why a bridge could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// QEMU's socket did not appear, or refused.
    #[error("no connection to QEMU's {what} at {endpoint} within {limit:?}: {source}")]
    Connect {
        /// Which socket: `gdbstub` or `QMP`.
        what: &'static str,
        /// Where it should be.
        endpoint: Endpoint,
        /// How long was tried.
        limit: Duration,
        /// What the last attempt met.
        source: io::Error,
    },
    /// The debugger's socket could not be opened.
    #[error("failed to listen for the debugger at {at}: {source}")]
    Listen {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// QEMU's sockets are there, but what answers is no gdbstub or no QMP, or answers too late.
    #[error("failed to greet QEMU: {0}")]
    Greeting(String),
    /// A thread or a second handle of a socket could not be had.
    #[error("failed to start the bridge: {0}")]
    Resources(#[from] io::Error),
}
