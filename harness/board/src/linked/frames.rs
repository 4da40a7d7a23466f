//! How Ethernet frames, and with them time, cross between network and device.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hilarm_link::{FromDevice, ToDevice, from_ethernet, to_ethernet};
use hilarm_network::GATEWAY_MAC;
use rustix::event::{PollFd, PollFlags};

use super::readiness::wait;
use super::{Wire, WireError};

const FRAME_BYTES_MAX: usize = 2048;

/// The way of frames and time.
#[derive(Debug)]
pub enum Frames {
    /// An emulated interface. Time goes this way too: over a UART in QEMU a grant costs eight times as much.
    Socket(FrameSocket),
    /// Channel `network` of the link, for boards without an interface; time has its own channel there.
    OverLink,
}

/// An emulated network interface behind a datagram socket, one frame a datagram.
#[derive(Debug)]
pub struct FrameSocket {
    socket: UnixDatagram,
    peer: PathBuf,
    mac: [u8; 6],
}

impl FrameSocket {
    /// Receives at `own`; the emulator receives at `peer`, for the interface with this hardware address.
    pub fn bind(own: &Path, peer: PathBuf, mac: [u8; 6]) -> std::io::Result<Self> {
        let socket = UnixDatagram::bind(own)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, peer, mac })
    }

    /// From now on the interface has this hardware address: its board lives several lives, each with its own.
    pub(crate) fn serve(&mut self, mac: [u8; 6]) {
        self.mac = mac;
    }

    /// Hands a frame to the interface; false when it had no room in time.
    pub(super) fn send(&self, frame: &[u8], give_up: Instant) -> Result<bool, WireError> {
        loop {
            match self.socket.send_to(frame, &self.peer) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if wait(&mut [PollFd::new(&self.socket, PollFlags::OUT)], give_up).is_err() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(WireError::from_io(&error)),
            }
        }
    }

    /// Hands a message of the harness's own to the interface, as [`send`](Self::send) does a frame.
    pub(super) fn send_message(&self, message: &ToDevice, give_up: Instant) -> Result<bool, WireError> {
        self.send(&to_ethernet(message, self.mac, GATEWAY_MAC), give_up)
    }

    /// The next frame, if one has come.
    pub(crate) fn receive(&self) -> Result<Option<Received>, WireError> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let frame = &buffer[..length];
                    let message = from_ethernet::<FromDevice>(frame);
                    return Ok(Some(
                        message.map_or_else(|| Received::Frame(frame.to_vec()), Received::Message),
                    ));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(WireError::from_io(&error)),
            }
        }
    }

    pub(super) fn readiness(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What came from the interface.
pub(crate) enum Received {
    /// Traffic of the device.
    Frame(Vec<u8>),
    /// A message to the harness, which is no traffic.
    Message(Result<FromDevice, hilarm_link::FrameError>),
}

/// Throws away what waits in the wires of a device that stands still: it is from an earlier life.
pub(crate) fn drain(wire: &mut dyn Wire, frames: &Frames) -> Result<(), WireError> {
    let mut buffer = [0; 4096];
    while wire.receive(&mut buffer)? > 0 {}
    if let Frames::Socket(socket) = frames {
        while socket.receive()?.is_some() {}
    }
    Ok(())
}
