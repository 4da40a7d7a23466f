//! Errors of the adversary; the texts fit "failed to {error}".

use std::io;

use thiserror::Error;

/// Why the command-and-control broker could not do its work. Nothing that a device sends is an error.
#[derive(Debug, Error)]
pub enum AdversaryError {
    /// No listener could be opened on a free loopback port.
    #[error("open a loopback port for the command-and-control broker after {attempts} attempts: {reason}")]
    Listen {
        /// How many ports were tried.
        attempts: u32,
        /// The last refusal.
        reason: String,
    },
    /// A thread or an asynchronous runtime could not be started.
    #[error("start the command-and-control broker: {0}")]
    Start(#[source] io::Error),
    /// The broker's router did not accept our own link.
    #[error("link to the command-and-control broker: {0}")]
    Link(String),
    /// The broker could not be reached on its own port.
    #[error("reach the command-and-control broker: {0}")]
    Unreachable(#[source] io::Error),
    /// The broker's router has stopped; it takes no further orders.
    #[error("use the command-and-control broker: its router has stopped")]
    Stopped,
    /// An order's topic is empty, too long, reserved or has a wildcard.
    #[error(
        "publish an order on {topic:?}: a topic starts with an ASCII character other than $ and has no + or #"
    )]
    InvalidTopic {
        /// The topic given.
        topic: String,
    },
    /// An answer that the broker owes did not come within the wall-clock limit.
    #[error("wait for the command-and-control broker: it still owes {waited_for}")]
    TimedOut {
        /// What was outstanding.
        waited_for: String,
    },
}
