//! The remote protocol's commands, each with a bounded wait.
//!
//! QEMU's habits that this file knows (measured on 7.2): any byte stops a running machine, so nothing is sent to one but
//! the interrupt itself; registers answer one by one only after the target description was read; a connection begins
//! with a stop that nobody asked for.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::hex;
use super::packet::{self, Deframer, Frame};
use super::target_xml::{self, RegisterNumbers};
use crate::link_error::LinkError;
use crate::stream::Stream;

/// Memory goes in pieces: two digits a byte must fit QEMU's packets of 4,096.
const CHUNK_BYTES: usize = 1024;

/// So many pieces fit the socket's buffers in both directions.
const WRITES_AT_ONCE: usize = 16;

/// What stops a running machine.
const INTERRUPT: u8 = 0x03;

/// A target description of more pieces than this is none of QEMU's.
const XML_PIECES_MAX: usize = 16;

/// Why the machine stands still, as the stub says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The signal's number in GDB's numbering.
    pub signal: u8,
}

impl Stop {
    /// It was stopped by our interrupt; any other stop is an event of the program.
    pub fn is_interrupt(self) -> bool {
        const SIGNAL_INT: u8 = 2;
        self.signal == SIGNAL_INT
    }
}

/// A connection with the stub of a QEMU.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    deframer: Deframer,
    bodies: VecDeque<Vec<u8>>,
    /// The last body is acknowledged with the next command: a byte of its own could stop a running machine.
    acknowledge: bool,
    reply_limit: Duration,
    read_timeout: Option<Duration>,
    registers: RegisterNumbers,
}

impl Client {
    /// Greets the stub behind a socket that QEMU has connected to; no answer takes longer than `limit`.
    pub fn over(socket: UnixStream, limit: Duration) -> Result<Self, LinkError> {
        Self::connect(Stream::Unix(socket), limit)
    }

    /// Greets the stub and reads which registers it has.
    pub(crate) fn connect(stream: Stream, reply_limit: Duration) -> Result<Self, LinkError> {
        stream.set_write_timeout(Some(reply_limit))?;
        let mut client = Self {
            stream,
            deframer: Deframer::default(),
            bodies: VecDeque::new(),
            acknowledge: false,
            reply_limit,
            read_timeout: None,
            registers: RegisterNumbers::default(),
        };
        client.request("qSupported:qXfer:features:read+")?;
        client.forget_breakpoints()?;
        client.read_registers_description()?;
        Ok(client)
    }

    /// The registers' numbers.
    pub(crate) fn registers(&self) -> &RegisterNumbers {
        &self.registers
    }

    /// QEMU takes the question for why it stopped as a debugger's arrival, and drops what an earlier one left.
    fn forget_breakpoints(&mut self) -> Result<(), LinkError> {
        self.send(b"?")?;
        let limit = self.reply_limit;
        self.await_stop(limit)?
            .map(drop)
            .ok_or_else(|| LinkError::Silent { what: "why it stands".into(), limit })
    }

    fn read_registers_description(&mut self) -> Result<(), LinkError> {
        let target = self.read_document("target.xml")?;
        for name in target_xml::includes(&target) {
            let feature = self.read_document(name)?;
            self.registers.add_feature(&feature);
        }
        // What every Cortex-M has, and nothing else does.
        match ["r0", "sp", "lr", "pc", "xpsr"].into_iter().find(|name| self.registers.number(name).is_none())
        {
            Some(name) => Err(LinkError::Garbled(format!("registers without {name}: no Cortex-M"))),
            None => Ok(()),
        }
    }

    fn read_document(&mut self, name: &str) -> Result<String, LinkError> {
        let mut document = Vec::new();
        for _ in 0..XML_PIECES_MAX {
            let reply = self.request(format!("qXfer:features:read:{name}:{:x},ffb", document.len()))?;
            let (more, text) = reply.split_first().ok_or_else(|| garbled("document", &reply))?;
            document.extend_from_slice(text);
            match more {
                b'l' => return Ok(String::from_utf8_lossy(&document).into_owned()),
                b'm' => {}
                _ => return Err(garbled("document", &reply)),
            }
        }
        Err(LinkError::Garbled(format!("a {name} without end")))
    }

    /// Memory as the core sees it; also device registers.
    pub fn read_memory(&mut self, address: u32, length: usize) -> Result<Vec<u8>, LinkError> {
        let mut memory = Vec::with_capacity(length);
        while memory.len() < length {
            let at = address.wrapping_add(memory.len() as u32);
            let size = CHUNK_BYTES.min(length - memory.len());
            let reply = self.request(format!("m{at:x},{size:x}"))?;
            match hex::bytes(&reply) {
                Some(bytes) if bytes.len() == size => memory.extend(bytes),
                _ => return Err(refused_or_garbled("a read of memory", at, &reply)),
            }
        }
        Ok(memory)
    }

    /// Writes memory, read-only memory included. Device registers do not see it.
    pub fn write_memory(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        // An image is hundreds of pieces: the next ones are under way while one is answered.
        let (mut unanswered, mut written) = (VecDeque::new(), Ok(()));
        for (index, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
            let at = address.wrapping_add((index * CHUNK_BYTES) as u32);
            let mut command = format!("M{at:x},{:x}:", chunk.len()).into_bytes();
            hex::push_bytes(&mut command, chunk);
            self.send(&command)?;
            unanswered.push_back(at);
            if unanswered.len() == WRITES_AT_ONCE {
                written = written.and(self.await_written(unanswered.pop_front())?);
            }
        }
        // All are answered, one that was refused too.
        while !unanswered.is_empty() {
            written = written.and(self.await_written(unanswered.pop_front())?);
        }
        written
    }

    /// What became of one write; an error of its own when there was no answer.
    fn await_written(&mut self, at: Option<u32>) -> Result<Result<(), LinkError>, LinkError> {
        let at = at.unwrap_or_default();
        let reply = self.await_reply(|| format!("a write of memory at {at:#x}"))?;
        Ok(if reply == b"OK" { Ok(()) } else { Err(refused_or_garbled("a write of memory", at, &reply)) })
    }

    /// Writes by physical address past the core, which is the way to device registers.
    pub(crate) fn write_physical(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.request_ok(b"Qqemu.PhyMemMode:1", "physical addresses", address)?;
        let written = self.write_memory(address, bytes);
        self.request_ok(b"Qqemu.PhyMemMode:0", "virtual addresses", address)?;
        written
    }

    /// A register's bytes, least significant first.
    pub(crate) fn read_register(&mut self, number: u32) -> Result<Vec<u8>, LinkError> {
        let reply = self.request(format!("p{number:x}"))?;
        match hex::bytes(&reply) {
            Some(bytes) if !bytes.is_empty() => Ok(bytes),
            _ => Err(refused_or_garbled("a read of register", number, &reply)),
        }
    }

    /// Writes a register, least significant byte first.
    pub(crate) fn write_register(&mut self, number: u32, bytes: &[u8]) -> Result<(), LinkError> {
        let mut command = format!("P{number:x}=").into_bytes();
        hex::push_bytes(&mut command, bytes);
        self.request_ok(&command, "a write of register", number)
    }

    pub(crate) fn set_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.request_ok(format!("Z1,{address:x},2").as_bytes(), "a breakpoint", address)
    }

    pub(crate) fn clear_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.request_ok(format!("z1,{address:x},2").as_bytes(), "removal of a breakpoint", address)
    }

    /// Asks for a command of QEMU's monitor that prints nothing.
    pub fn monitor(&mut self, command: &str) -> Result<(), LinkError> {
        let mut request = b"qRcmd,".to_vec();
        hex::push_bytes(&mut request, command.as_bytes());
        self.request_ok(&request, command, 0)
    }

    /// Lets the machine run. The stop, when it comes, is found by `poll_stop` or `interrupt`.
    pub fn resume(&mut self) -> Result<(), LinkError> {
        self.send(b"c")
    }

    /// Executes one instruction; `None` if none was executed within the limit, in which case the machine still tries.
    pub(crate) fn step(&mut self, limit: Duration) -> Result<Option<Stop>, LinkError> {
        self.send(b"s")?;
        self.await_stop(limit)
    }

    /// Stops a running machine. The stop may be of another cause that came first.
    pub fn interrupt(&mut self) -> Result<Stop, LinkError> {
        if let Some(stop) = self.poll_stop()? {
            return Ok(stop);
        }
        self.stream.write_all(&[INTERRUPT])?;
        let limit = self.reply_limit;
        self.await_stop(limit)?.ok_or_else(|| LinkError::Silent { what: "an interrupt".into(), limit })
    }

    /// Whether a running machine has stopped meanwhile.
    pub(crate) fn poll_stop(&mut self) -> Result<Option<Stop>, LinkError> {
        self.stream.set_nonblocking(true)?;
        let read = self.receive();
        self.stream.set_nonblocking(false)?;
        read?;
        self.take_stop()
    }

    fn await_stop(&mut self, limit: Duration) -> Result<Option<Stop>, LinkError> {
        let since = Instant::now();
        loop {
            if let Some(stop) = self.take_stop()? {
                return Ok(Some(stop));
            }
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.receive_within(left)?;
        }
    }

    fn take_stop(&mut self) -> Result<Option<Stop>, LinkError> {
        match self.bodies.pop_front() {
            None => Ok(None),
            Some(body) => stop_of(&body).map(Some).ok_or_else(|| garbled("stop", &body)),
        }
    }

    fn request_ok(&mut self, command: &[u8], what: &str, subject: u32) -> Result<(), LinkError> {
        let reply = self.request(command)?;
        if reply == b"OK" { Ok(()) } else { Err(refused_or_garbled(what, subject, &reply)) }
    }

    /// Sends a command to a machine that stands still and returns the answer.
    fn request(&mut self, command: impl AsRef<[u8]>) -> Result<Vec<u8>, LinkError> {
        let command = command.as_ref();
        self.send(command)?;
        self.await_reply(|| String::from_utf8_lossy(&command[..command.len().min(40)]).into_owned())
    }

    fn await_reply(&mut self, what: impl Fn() -> String) -> Result<Vec<u8>, LinkError> {
        let since = Instant::now();
        loop {
            while let Some(body) = self.bodies.pop_front() {
                // Stops nobody asked for, as at the beginning of a connection.
                if stop_of(&body).is_none() {
                    return Ok(body);
                }
            }
            let left = self.reply_limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(LinkError::Silent { what: what(), limit: self.reply_limit });
            }
            self.receive_within(left)?;
        }
    }

    fn send(&mut self, body: &[u8]) -> Result<(), LinkError> {
        let mut bytes = Vec::with_capacity(body.len() + 5);
        if std::mem::take(&mut self.acknowledge) {
            bytes.push(b'+');
        }
        bytes.extend(packet::encode(body));
        Ok(self.stream.write_all(&bytes)?)
    }

    fn receive_within(&mut self, limit: Duration) -> Result<(), LinkError> {
        // Whole limits repeat, so most waits spare the call; a wait that is cut short ends a little late.
        let rounded = if limit > self.reply_limit / 2 { self.reply_limit } else { limit };
        if self.read_timeout != Some(rounded) {
            self.stream.set_read_timeout(Some(rounded))?;
            self.read_timeout = Some(rounded);
        }
        self.receive()
    }

    /// Reads what is there, or what comes within the stream's time-out.
    fn receive(&mut self) -> Result<(), LinkError> {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(LinkError::Gone),
            Ok(length) => self.deframer.push(&buffer[..length]),
            Err(error) if no_data_yet(error.kind()) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        while let Some(frame) = self.deframer.next()? {
            match frame {
                Frame::Ack => {}
                Frame::Nak => return Err(LinkError::Garbled("that a packet was damaged".into())),
                Frame::Body(body) => {
                    self.acknowledge = true;
                    self.bodies.push_back(body);
                }
            }
        }
        Ok(())
    }
}

fn no_data_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// `T05thread:01;` or `S05`.
fn stop_of(body: &[u8]) -> Option<Stop> {
    match body {
        [b'T' | b'S', high, low, ..] => hex::byte(&[*high, *low]).map(|signal| Stop { signal }),
        _ => None,
    }
}

fn refused_or_garbled(what: &str, subject: u32, reply: &[u8]) -> LinkError {
    match reply {
        // An empty answer: the stub has no such command.
        [] | [b'E', _, _] => LinkError::Refused(format!("{what} {subject:#x}")),
        _ => garbled(what, reply),
    }
}

fn garbled(what: &str, reply: &[u8]) -> LinkError {
    let start = String::from_utf8_lossy(&reply[..reply.len().min(40)]).into_owned();
    LinkError::Garbled(format!("{start:?} for {what}"))
}
