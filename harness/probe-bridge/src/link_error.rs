//! Why QEMU did not do what it was asked to.

use std::io;
use std::time::Duration;

use crate::bridge::Ended;
use crate::gdb::packet::PacketError;

/// Why QEMU did not do what it was asked to. All but `Refused` are the end of the connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It answered with an error: nothing is at that address, no such register. Goes on.
    #[error("QEMU refused {0}")]
    Refused(String),
    /// A socket closed.
    #[error("QEMU is gone")]
    Gone,
    /// No answer within the limit.
    #[error("QEMU did not answer {what} within {limit:?}")]
    Silent {
        /// What was asked.
        what: String,
        /// How long was waited.
        limit: Duration,
    },
    /// It sent what cannot be understood.
    #[error("QEMU sent {0}")]
    Garbled(String),
}

impl From<PacketError> for LinkError {
    fn from(error: PacketError) -> Self {
        Self::Garbled(error.to_string())
    }
}

/// A socket's failure is its end; time-outs are told apart where they are awaited.
impl From<io::Error> for LinkError {
    fn from(_closed: io::Error) -> Self {
        Self::Gone
    }
}

impl LinkError {
    /// What the bridge says of itself after it.
    pub(crate) fn into_ended(self) -> Ended {
        match self {
            Self::Gone => Ended::QemuGone,
            Self::Silent { .. } => Ended::Silent(self.to_string()),
            Self::Refused(_) | Self::Garbled(_) => Ended::Garbled(self.to_string()),
        }
    }
}
