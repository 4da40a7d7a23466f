//! Why a serial line cannot be had.

use std::time::Duration;

/// Why a serial line cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// The address is none.
    #[error(
        "`{text}` is no serial line: {problem}; write a path, `usb:0483:374b`, \
         `usb:0483:374b,serial=066DFF,interface=2`, `tcp:host:port` or `rfc2217:host:port`"
    )]
    Address {
        /// As it was written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing there.
    #[error("serial port {path} is not there: is the board plugged in?")]
    Absent {
        /// The path.
        path: String,
    },
    /// No USB device of that identity has a serial port.
    #[error("no serial port is {wanted}; {there}")]
    NoMatch {
        /// What was looked for.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// More than one USB device fits, and the harness does not guess.
    #[error("{wanted} fits {count} serial ports: {candidates}; say which by `serial=` or `interface=`")]
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// How many fit.
        count: usize,
        /// Which.
        candidates: String,
    },
    /// Another process has it.
    #[error("serial port {path} is busy: {holder} has it open")]
    Busy {
        /// The path.
        path: String,
        /// Name and id of the process, as far as can be told.
        holder: String,
    },
    /// No right to it.
    #[error(
        "no permission to open serial port {path}{group}: join that group (`usermod -aG`) and log in again"
    )]
    Forbidden {
        /// The path.
        path: String,
        /// Whose it is: empty, or `, which belongs to group ...`.
        group: String,
    },
    /// The port is there and does not do.
    #[error("serial port {path} cannot be set up: {error}")]
    Unusable {
        /// The path.
        path: String,
        /// The system's words.
        error: String,
    },
    /// The other machine cannot be reached.
    #[error("no connection to serial server {server}: {error}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// The system's words.
        error: String,
    },
    /// The other machine does not do as RFC 2217 says.
    #[error("serial server {server} {problem}")]
    Negotiation {
        /// Host and port.
        server: String,
        /// What it did.
        problem: String,
    },
    /// What was unplugged did not come back.
    #[error("waited {limit:?} for the serial line to come back: {last}")]
    NotBack {
        /// The limit.
        limit: Duration,
        /// What the last try came to.
        last: Box<SerialError>,
    },
    /// The operating system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        error: String,
    },
}
