//! What carries the link: a byte stream without waiting. It keeps order and, unless it says otherwise by an
//! error, loses nothing.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Why a wire no longer carries anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The other end is gone.
    #[error("{what}")]
    Gone {
        /// What is gone, and how that showed.
        what: String,
    },
    /// The operating system refused something.
    #[error("{error}")]
    Io {
        /// The system's words.
        error: String,
    },
}

impl WireError {
    /// An error of a socket, a pipe or a terminal: some of them only say that nobody is there.
    pub fn from_io(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotFound => Self::Gone { what: error.to_string() },
            _ => Self::Io { error: error.to_string() },
        }
    }
}

/// The byte stream between harness and device. No call waits.
pub trait Wire: Send + fmt::Debug {
    /// Takes what has come; 0 when nothing has.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError>;

    /// Gives as much as there is room for; 0 when there is none.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError>;

    /// What to wait on: readable when bytes have come or the wire broke, writable when there is room. A wire
    /// without one is asked again and again.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;

    /// Whether bytes may come that our firmware never sent: a boot loader's, or those of a line with loose ends.
    /// Then all is noise until the firmware says that it has booted.
    fn is_noisy(&self) -> bool {
        false
    }

    /// Readies the wire for the next device, which is held in reset meanwhile: throws away what the one before
    /// left behind, and waits up to `limit` for what was unplugged to come back, where it can.
    fn renew(&mut self, _limit: Duration) -> Result<(), WireError> {
        let mut buffer = [0; 4096];
        while self.receive(&mut buffer)? > 0 {}
        Ok(())
    }
}

/// A Unix socket, which the caller has made non-blocking.
impl Wire for UnixStream {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        receive_from(self, buffer)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        send_to(self, bytes)
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// Reads what a non-blocking stream has.
pub(crate) fn receive_from(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, WireError> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Err(WireError::Gone { what: "closed by the other end".to_owned() }),
            Ok(length) => return Ok(length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(WireError::from_io(&error)),
        }
    }
}

/// Writes what a non-blocking stream has room for.
pub(crate) fn send_to(stream: &mut impl Write, bytes: &[u8]) -> Result<usize, WireError> {
    loop {
        match stream.write(bytes) {
            Ok(length) => return Ok(length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(WireError::from_io(&error)),
        }
    }
}
