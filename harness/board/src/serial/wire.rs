//! A serial line as a [`Wire`] that can be put in order again after it was unplugged.

use std::os::fd::BorrowedFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::pump::{self, Line};
use super::{SerialAddress, SerialError, remote, tty, usb_serial_ports};
use crate::linked::readiness::wait;
use crate::linked::{Conduit, Wire, WireError, conduit};

/// How often an absent line is looked for.
const RETRY: Duration = Duration::from_millis(5);
/// One try to open a line of another machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// An open serial line, with a thread of its own.
#[derive(Debug)]
pub struct SerialWire {
    address: SerialAddress,
    baud: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// First, so that the thread sees it go before it is waited for.
    conduit: Conduit,
    _pump: Pump,
}

/// Waits for the thread, which never blocks on anything but its two descriptors.
#[derive(Debug)]
struct Pump(Option<JoinHandle<()>>);

impl Drop for Pump {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic there has been printed, and the line is closed either way.
            let _ = thread.join();
        }
    }
}

impl SerialWire {
    /// Opens the line for ourselves alone.
    pub fn open(address: SerialAddress, baud: u32) -> Result<Self, SerialError> {
        let open = Open::new(&address, baud, CONNECT_LIMIT)?;
        Ok(Self { address, baud, open: Some(open) })
    }

    /// Closes the line, if it is open, and opens it again: waits up to `limit` for one that was unplugged, or
    /// is another's for a moment. Bytes of the old line that nobody read are gone.
    pub fn reopen(&mut self, limit: Duration) -> Result<(), SerialError> {
        self.open = None;
        let give_up = Instant::now() + limit;
        loop {
            match Open::new(&self.address, self.baud, limit.min(CONNECT_LIMIT)) {
                Ok(open) => {
                    self.open = Some(open);
                    return Ok(());
                }
                // No waiting makes one of two go away.
                Err(error @ (SerialError::Ambiguous { .. } | SerialError::Address { .. })) => {
                    return Err(error);
                }
                Err(last) if Instant::now() >= give_up => {
                    return Err(SerialError::NotBack { limit, last: Box::new(last) });
                }
                Err(_) => {
                    // Nothing tells of the return of a line; the look-up is repeated until the limit.
                    let _ = wait(&mut [], give_up.min(Instant::now() + RETRY));
                }
            }
        }
    }

    /// Where the line is.
    pub fn address(&self) -> &SerialAddress {
        &self.address
    }
}

impl Open {
    fn new(address: &SerialAddress, baud: u32, limit: Duration) -> Result<Self, SerialError> {
        let io = |error: std::io::Error| SerialError::Io {
            doing: "starting a serial line's thread",
            error: error.to_string(),
        };
        let line = line(address, baud, limit)?;
        let (conduit, end) = conduit().map_err(io)?;
        let thread = pump::spawn(line, end, address.to_string()).map_err(io)?;
        Ok(Self { conduit, _pump: Pump(Some(thread)) })
    }
}

fn line(address: &SerialAddress, baud: u32, limit: Duration) -> Result<Line, SerialError> {
    match address {
        SerialAddress::Path(path) => tty::open(path, baud).map(|port| Line::new(port, None, Vec::new())),
        SerialAddress::Usb(wanted) => {
            let port = wanted.choose(&usb_serial_ports()?)?;
            tty::open(port.path.as_ref(), baud).map(|port| Line::new(port, None, Vec::new()))
        }
        SerialAddress::Tcp { server } => remote::open_raw(server, limit),
        SerialAddress::Rfc2217 { server } => remote::open_rfc2217(server, baud, limit),
    }
}

fn closed() -> WireError {
    WireError::Gone { what: "the serial line is closed".to_owned() }
}

impl Wire for SerialWire {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        self.open.as_mut().ok_or_else(closed)?.conduit.receive(buffer)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        self.open.as_mut().ok_or_else(closed)?.conduit.send(bytes)
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().and_then(|open| open.conduit.readiness())
    }

    fn is_noisy(&self) -> bool {
        true
    }

    /// A line that holds is not closed: an emulator would lose what its board says until it notices that somebody
    /// listens again.
    fn renew(&mut self, limit: Duration) -> Result<(), WireError> {
        let mut buffer = [0; 4096];
        let holds = loop {
            match self.receive(&mut buffer) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        if holds {
            return Ok(());
        }
        self.reopen(limit).map_err(|error| WireError::Gone { what: error.to_string() })
    }
}
