//! The thread of one open line: it moves bytes between the line and a [`ConduitEnd`], so that what a board
//! says is taken off the line while the harness is busy elsewhere. It ends with the line, or with the wire.

use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::telnet::Telnet;
use crate::linked::{ConduitEnd, WireError};

const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes held in each direction; then the sender waits, as it would for a slow line.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// An open line: a terminal, or a connection to one.
#[derive(Debug)]
pub(super) struct Line {
    descriptor: OwnedFd,
    telnet: Option<Telnet>,
    /// What the line has said and nobody has read yet.
    incoming: Vec<u8>,
    /// What the line has no room for yet, escaped if need be.
    outgoing: Vec<u8>,
}

impl Line {
    pub(super) fn new(descriptor: OwnedFd, telnet: Option<Telnet>, early: Vec<u8>) -> Self {
        Self { descriptor, telnet, incoming: early, outgoing: Vec::new() }
    }

    fn interest(&self) -> PollFlags {
        let suspended = self.telnet.as_ref().is_some_and(Telnet::suspended);
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.incoming.len() < HELD_BYTES_MAX);
        flags.set(PollFlags::OUT, !self.outgoing.is_empty() && !suspended);
        flags
    }

    fn queue(&mut self, bytes: &[u8]) {
        match self.telnet {
            Some(_) => Telnet::escape(bytes, &mut self.outgoing),
            None => self.outgoing.extend_from_slice(bytes),
        }
    }

    fn read(&mut self) -> Result<(), WireError> {
        let mut buffer = [0; CHUNK_BYTES];
        match rustix::io::read(&self.descriptor, &mut buffer) {
            Ok(0) => Err(gone("it was closed or unplugged")),
            Ok(length) => {
                match &mut self.telnet {
                    Some(telnet) => {
                        telnet.receive(&buffer[..length], &mut self.incoming, &mut self.outgoing);
                    }
                    None => self.incoming.extend_from_slice(&buffer[..length]),
                }
                Ok(())
            }
            Err(error) => broken(error),
        }
    }

    fn write(&mut self) -> Result<(), WireError> {
        match rustix::io::write(&self.descriptor, &self.outgoing) {
            Ok(length) => {
                self.outgoing.drain(..length);
                Ok(())
            }
            Err(error) => broken(error),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Closing a terminal waits for bytes that nobody takes, up to half a minute. A socket has no such
        // queue and refuses.
        let _ = rustix::termios::tcflush(&self.descriptor, rustix::termios::QueueSelector::OFlush);
    }
}

/// What an error of the line means; nothing when it means "not now".
fn broken(error: Errno) -> Result<(), WireError> {
    match error {
        Errno::AGAIN | Errno::INTR => Ok(()),
        // How Linux tells of an unplugged adapter and of a pseudo terminal without its other end.
        Errno::IO | Errno::NXIO | Errno::NODEV => Err(gone("it was unplugged")),
        Errno::CONNRESET | Errno::PIPE | Errno::TIMEDOUT => {
            Err(gone(&format!("the other end left: {error}")))
        }
        error => Err(WireError::Io { error: error.to_string() }),
    }
}

fn gone(what: &str) -> WireError {
    WireError::Gone { what: what.to_owned() }
}

/// Starts the thread. It ends when the line breaks, which the conduit then tells, or when the wire is dropped.
pub(super) fn spawn(line: Line, end: ConduitEnd, name: String) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("serial line".to_owned()).spawn(move || run(line, end, &name))
}

fn run(mut line: Line, mut end: ConduitEnd, name: &str) {
    let mut broke = None;
    // A broken line's last words still reach whoever listens.
    while broke.is_none() || !line.incoming.is_empty() {
        match turn(&mut line, &mut end, broke.is_none()) {
            Turn::Moved => {}
            Turn::LineBroke(why) => broke = Some(why),
            Turn::WireDropped => return,
        }
    }
    if let Some(why) = broke {
        end.break_off(named(why, name));
    }
}

fn named(why: WireError, name: &str) -> WireError {
    match why {
        WireError::Gone { what } => WireError::Gone { what: format!("serial line {name}: {what}") },
        WireError::Io { error } => WireError::Io { error: format!("serial line {name}: {error}") },
    }
}

enum Turn {
    Moved,
    LineBroke(WireError),
    WireDropped,
}

/// Waits until something can move, and moves it.
fn turn(line: &mut Line, end: &mut ConduitEnd, line_lives: bool) -> Turn {
    let mut end_flags = PollFlags::empty();
    end_flags.set(PollFlags::IN, line_lives && line.outgoing.len() < HELD_BYTES_MAX);
    end_flags.set(PollFlags::OUT, !line.incoming.is_empty());
    let (line_ready, end_ready) = {
        let mut on = [
            PollFd::from_borrowed_fd(end.as_fd(), end_flags),
            PollFd::from_borrowed_fd(line.descriptor.as_fd(), line.interest()),
        ];
        let watched = if line_lives { &mut on[..] } else { &mut on[..1] };
        // Without limit: dropping the wire ends the wait.
        match poll(watched, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Turn::LineBroke(WireError::Io { error: error.to_string() }),
        }
        (on[1].revents(), on[0].revents())
    };
    if move_end(line, end, end_ready).is_err() {
        return Turn::WireDropped;
    }
    match move_line(line, line_ready) {
        Ok(()) => Turn::Moved,
        Err(why) => Turn::LineBroke(why),
    }
}

fn move_end(line: &mut Line, end: &mut ConduitEnd, ready: PollFlags) -> Result<(), WireError> {
    if ready.contains(PollFlags::OUT) {
        let sent = end.send(&line.incoming)?;
        line.incoming.drain(..sent);
    }
    if ready.contains(PollFlags::IN) {
        let mut buffer = [0; CHUNK_BYTES];
        let taken = end.receive(&mut buffer)?;
        line.queue(&buffer[..taken]);
    } else if ready.intersects(PollFlags::HUP | PollFlags::ERR) {
        return Err(gone("the wire was dropped"));
    }
    Ok(())
}

fn move_line(line: &mut Line, ready: PollFlags) -> Result<(), WireError> {
    if ready.contains(PollFlags::OUT) {
        line.write()?;
    }
    if ready.contains(PollFlags::IN) {
        line.read()?;
    } else if ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Err(gone("it was unplugged"));
    }
    Ok(())
}
