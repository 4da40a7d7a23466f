//! A wire towards a thread of this process that owns the real thing: a serial port, a debug probe's session.
//! The kernel's socket pair is the channel, so there is backpressure in both directions and something to poll.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use super::wire::{receive_from, send_to};
use super::{Wire, WireError};

/// The device's side of a [`ConduitEnd`]: what the thread puts in comes out here.
#[derive(Debug)]
pub struct Conduit {
    stream: UnixStream,
    broke: Arc<OnceLock<WireError>>,
}

/// The thread's side. Dropping it breaks the wire, after what is in it has been read.
#[derive(Debug)]
pub struct ConduitEnd {
    stream: UnixStream,
    broke: Arc<OnceLock<WireError>>,
}

/// Both sides; neither ever waits.
pub fn conduit() -> std::io::Result<(Conduit, ConduitEnd)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let broke = Arc::new(OnceLock::new());
    Ok((Conduit { stream: ours, broke: Arc::clone(&broke) }, ConduitEnd { stream: theirs, broke }))
}

impl Conduit {
    fn explain(&self, error: WireError) -> WireError {
        self.broke.get().cloned().unwrap_or(error)
    }
}

impl Wire for Conduit {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        receive_from(&mut self.stream, buffer).map_err(|error| self.explain(error))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        send_to(&mut self.stream, bytes).map_err(|error| self.explain(error))
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.stream.as_fd())
    }
}

impl ConduitEnd {
    /// Takes what the device's side has sent; 0 when nothing has come.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        receive_from(&mut self.stream, buffer)
    }

    /// Gives to the device's side as much as there is room for.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        send_to(&mut self.stream, bytes)
    }

    /// Ends it, and says why.
    pub fn break_off(self, why: WireError) {
        // Whoever broke it first knows best.
        let _ = self.broke.set(why);
    }
}

impl AsFd for ConduitEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out_before_the_reason_of_the_end() {
        let (mut wire, mut end) = conduit().unwrap();
        assert_eq!(end.send(b"last words").unwrap(), 10);
        end.break_off(WireError::Gone { what: "/dev/ttyX is gone".to_owned() });
        let mut buffer = [0; 64];
        assert_eq!(wire.receive(&mut buffer).unwrap(), 10);
        let gone = WireError::Gone { what: "/dev/ttyX is gone".to_owned() };
        assert_eq!(wire.receive(&mut buffer), Err(gone.clone()));
        assert_eq!(wire.send(b"anybody there?"), Err(gone));
    }

    #[test]
    fn a_full_conduit_takes_no_more_and_never_blocks() {
        let (mut wire, mut end) = conduit().unwrap();
        let mut written = 0;
        loop {
            match wire.send(&[7; 4096]).unwrap() {
                0 => break,
                more => written += more,
            }
        }
        let mut buffer = [0; 4096];
        let mut read = 0;
        while read < written {
            read += end.receive(&mut buffer).unwrap();
        }
        assert_eq!(end.receive(&mut buffer), Ok(0));
        assert!(wire.send(b"x").unwrap() == 1, "there is room again");
    }
}
