//! One QEMU with an image in its memory, which lives one life after another. It starts empty and halted; its gdbstub
//! brings the image in, and before each life the identity. What QEMU has translated of the image outlives a reset, and
//! that is most of what a short life costs.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hilarm_link::{DeviceConfig, config_blob};
use hilarm_probe_bridge::{GdbClient, LinkError};
use rustix::event::{PollFd, PollFlags};

use super::QemuError;
use super::monitor::Monitor;
use super::process::{CABLE, Paths, QemuProcess, paths};
use super::version::{check_version, qemu_binary};
use crate::elf::{BOOTS_BYTES, BOOTS_SYMBOL};
use crate::foreign::{Written, written};
use crate::linked::readiness::wait;
use crate::linked::{FrameSocket, Frames, Host, LinkedDevice, Parts, Wire, WireError, drain};
use crate::{Board, Elf, LinkSpec, LinkVia, QemuSpec, SerialAddress, SerialWire};

const BOOT_POLL: Duration = Duration::from_millis(20);

/// A QEMU between two lives.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The process and its wires.
    parts: Parts,
    stay: Stay,
}

/// What stays while a device has the process and the wires.
#[derive(Debug)]
pub(super) struct Stay {
    stub: GdbClient,
    process_id: u32,
    /// What the guest and QEMU wrote in this life: console and error output.
    said: [PathBuf; 2],
    boots: Option<u32>,
    /// Of the board and of its image.
    kind: Kind,
}

/// Which machines can stand in for one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) board: String,
    pub(super) image: String,
}

impl Kind {
    pub(super) fn of(board: &Board, elf: &Elf) -> Self {
        Self { board: board.id.clone(), image: elf.sha256().to_owned() }
    }
}

impl Machine {
    /// Starts QEMU and brings the image into its memory.
    pub(super) fn start(board: &Board, elf: &Elf, mac: [u8; 6]) -> Result<Self, QemuError> {
        let incomplete = |section| QemuError::Incomplete { board: board.id.clone(), section };
        let qemu = board.qemu.as_ref().ok_or_else(|| incomplete("qemu"))?;
        let link = board.link.as_ref().ok_or_else(|| incomplete("link"))?;
        let limit = board.timeouts.boot;
        let binary = qemu_binary();
        check_version(&binary, &qemu.min_version, &board.id)?;
        let folder =
            tempfile::Builder::new().prefix("hilarm-").tempdir().map_err(io("creating a folder for QEMU"))?;
        let at = paths(&folder);
        let debug = listen(&at.debug())?;
        let cable = listen(&if link.via == LinkVia::Serial { at.monitor() } else { at.link() })?;
        let frames = network(qemu, &at, mac)?;
        let said = [at.console(), at.stderr()];
        let mut process = QemuProcess::launch(&binary, board, qemu, elf, mac, folder)?;
        let wire = wire(link, accept(&cable, &mut process, limit)?, limit)?;
        let stub = load(accept(&debug, &mut process, limit)?, elf, limit, &mut process)?;
        let boots = elf.symbol(BOOTS_SYMBOL).and_then(|address| u32::try_from(address).ok());
        let process_id = process.id();
        let parts = Parts { host: Box::new(process), wire, frames };
        let stay = Stay { stub, process_id, said, boots, kind: Kind::of(board, elf) };
        Ok(Self { parts, stay })
    }

    /// Resets into a new life with this identity and waits until the device is idle for the first time.
    pub(super) fn boot(
        self,
        board: &Board,
        elf: &Elf,
        config: &DeviceConfig,
    ) -> Result<(LinkedDevice, Stay), QemuError> {
        let Self { mut parts, mut stay } = self;
        let incomplete = |section| QemuError::Incomplete { board: board.id.clone(), section };
        let qemu = board.qemu.as_ref().ok_or_else(|| incomplete("qemu"))?;
        let mut prepare = Vec::new();
        if let Some(Written { address, bytes }) = identity(board, qemu, elf, config)? {
            let address = u32::try_from(address).map_err(|_| incomplete("qemu.config_address"))?;
            prepare.push((address, bytes));
        }
        prepare.extend(stay.boots.map(|boots| (boots, vec![0; BOOTS_BYTES])));
        for said in &stay.said {
            empty(said).map_err(io("emptying the console"))?;
        }
        stay.reset(&prepare).map_err(|(doing, error)| lost(parts.host.as_mut(), doing, &error))?;
        if let Frames::Socket(socket) = &mut parts.frames {
            socket.serve(config.network.mac);
        }
        drain(parts.wire.as_mut(), &parts.frames)
            .map_err(|error| QemuError::Io { doing: "emptying the link", error: error.to_string() })?;
        let resumed = stay.stub.resume();
        resumed.map_err(|error| lost(parts.host.as_mut(), "letting the firmware run", &error))?;
        let device = LinkedDevice::boot_at(board.pace(), parts, board.timeouts).map_err(QemuError::Boot)?;
        Ok((device, stay))
    }

    /// Whether its QEMU is still there. It is asked: that a process was killed a moment ago shows later.
    pub(super) fn answers(&mut self) -> bool {
        matches!(self.stay.stub.read_memory(0, size_of::<u32>()), Ok(_) | Err(LinkError::Refused(_)))
    }

    pub(super) fn is_of(&self, kind: &Kind) -> bool {
        self.stay.kind == *kind
    }
}

impl Stay {
    /// Puts this into the memory of a guest that stands still and resets it; it still stands then.
    fn reset(&mut self, prepare: &[(u32, Vec<u8>)]) -> Result<(), (&'static str, LinkError)> {
        for (address, bytes) in prepare {
            let written = self.stub.write_memory(*address, bytes);
            written.map_err(|error| ("writing the configuration", error))?;
        }
        self.stub.monitor("system_reset").map_err(|error| ("resetting the board", error))
    }

    /// Halts the guest whose life is over, for the next one; nothing when QEMU does not answer any more.
    pub(super) fn rest(mut self, device: LinkedDevice) -> Option<Machine> {
        let parts = device.into_parts();
        let stopped = self.stub.interrupt().is_ok_and(hilarm_probe_bridge::Stop::is_interrupt);
        stopped.then_some(Machine { parts, stay: self })
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process_id
    }
}

fn identity(
    board: &Board,
    qemu: &QemuSpec,
    elf: &Elf,
    config: &DeviceConfig,
) -> Result<Option<Written>, QemuError> {
    match (&board.identity, qemu.config_address) {
        (Some(spec), _) => Ok(written(spec, elf, config)?),
        (None, Some(address)) => Ok(Some(Written { address, bytes: config_blob(config) })),
        (None, None) => Err(QemuError::Incomplete { board: board.id.clone(), section: "identity" }),
    }
}

/// How frames cross: by the emulated interface, where the board has one.
fn network(qemu: &QemuSpec, at: &Paths<'_>, mac: [u8; 6]) -> Result<Frames, QemuError> {
    if qemu.nic.is_none() {
        return Ok(Frames::OverLink);
    }
    let socket = FrameSocket::bind(&at.frames_in(), at.frames_out(), mac);
    socket.map(Frames::Socket).map_err(io("opening the device's network"))
}

/// The link's wire, from what QEMU connected for it: the UART itself, or the monitor that knows the cable's other end.
fn wire(link: &LinkSpec, stream: UnixStream, limit: Duration) -> Result<Box<dyn Wire>, QemuError> {
    if link.via == LinkVia::Serial {
        return Ok(Box::new(plug_in(stream, link.baud, limit)?));
    }
    stream.set_nonblocking(true).map_err(io("listening for the device's link"))?;
    Ok(Box::new(stream))
}

/// The other end of a serial cable to a guest that stands still: what it says before somebody holds that end would be
/// lost.
fn plug_in(monitor: UnixStream, baud: u32, limit: Duration) -> Result<SerialWire, QemuError> {
    let mut monitor = Monitor::new(monitor, limit).map_err(io("greeting QEMU's monitor"))?;
    let port = monitor.pseudo_terminal(CABLE).map_err(io("asking QEMU for its serial port"))?;
    SerialWire::open(SerialAddress::Path(port), baud)
        .map_err(|error| QemuError::Io { doing: "plugging the cable in", error: error.to_string() })
}

fn listen(path: &std::path::Path) -> Result<UnixListener, QemuError> {
    let listener = UnixListener::bind(path).map_err(io("listening for QEMU"))?;
    listener.set_nonblocking(true).map_err(io("listening for QEMU"))?;
    Ok(listener)
}

/// A console that nobody has written to yet has no file.
fn empty(console: &std::path::Path) -> std::io::Result<()> {
    match std::fs::OpenOptions::new().write(true).open(console) {
        Ok(file) => file.set_len(0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn accept(
    listener: &UnixListener,
    process: &mut QemuProcess,
    limit: Duration,
) -> Result<UnixStream, QemuError> {
    let give_up = Instant::now() + limit;
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(io("accepting QEMU's connection")(error)),
        }
        if let Some(status) = process.exit_status() {
            return Err(QemuError::Boot(process.exited(status)));
        }
        let soon = give_up.min(Instant::now() + BOOT_POLL);
        if wait(&mut [PollFd::new(listener, PollFlags::IN)], soon).is_err() && Instant::now() >= give_up {
            return Err(QemuError::Boot(process.not_opened(limit)));
        }
    }
}

fn io(doing: &'static str) -> impl Fn(std::io::Error) -> QemuError {
    move |error| QemuError::Io { doing, error: error.to_string() }
}

/// Greets the stub and brings the image into memory.
fn load(
    stub: UnixStream,
    elf: &Elf,
    limit: Duration,
    process: &mut QemuProcess,
) -> Result<GdbClient, QemuError> {
    const DOING: &str = "loading the image";
    let mut stub = GdbClient::over(stub, limit).map_err(|error| lost(process, DOING, &error))?;
    for (address, held) in elf.loaded()? {
        stub.write_memory(address, &held).map_err(|error| lost(process, DOING, &error))?;
    }
    Ok(stub)
}

/// What QEMU refused, or why it does not answer any more.
fn lost(host: &mut dyn Host, doing: &'static str, error: &LinkError) -> QemuError {
    match error {
        LinkError::Gone => QemuError::Boot(host.lost(doing, &WireError::Gone { what: error.to_string() })),
        _ => QemuError::Io { doing, error: error.to_string() },
    }
}
