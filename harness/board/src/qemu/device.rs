//! A device in QEMU as a [`Device`]. One stimulus goes in; then the harness listens until the firmware says
//! that it is idle and its counters account for everything that crossed, in both directions. Input thus
//! always meets a sleeping guest, which makes the guest's own run repeatable.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hilarm_link::{
    Decoder, DeviceConfig, DeviceEvent, Encoder, FrameError, FromDevice, Grant, Idle, ToDevice, config_blob,
    from_ethernet, to_ethernet,
};
use hilarm_model::{Monotonic, Now};
use hilarm_network::{GATEWAY_MAC, LinkInput, LinkOutput};
use rustix::event::{PollFd, PollFlags};

use super::process::{QemuProcess, paths};
use super::readiness::wait;
use super::version::{QemuVersion, qemu_binary, qemu_version};
use crate::{Board, Device, DeviceFault, DeviceOutput, Elf, Stimulus};

const FRAME_BYTES_MAX: usize = 2048;
const BOOT_POLL: Duration = Duration::from_millis(20);
/// After this long without a word the console is looked at: a firmware that panicked says so there.
const PANIC_POLL: Duration = Duration::from_millis(200);
/// Reads before the time limit is looked at again, so that a firmware that never falls silent is bounded too.
const READS_MAX: u32 = 64;

/// Why a device in QEMU could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QemuError {
    /// No QEMU.
    #[error("`{binary}` does not run or tells no version; `cargo xtask setup` installs QEMU")]
    Absent {
        /// The name looked for.
        binary: String,
    },
    /// QEMU is too old.
    #[error("QEMU {found} is too old: board {board} needs {needed} or newer")]
    TooOld {
        /// Its version.
        found: QemuVersion,
        /// What the board's file asks for.
        needed: String,
        /// The board.
        board: String,
    },
    /// The board is no QEMU board.
    #[error("board {board} has no section `{section}`")]
    Incomplete {
        /// The board.
        board: String,
        /// What is missing.
        section: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        error: String,
    },
    /// The firmware did not come up.
    #[error("the firmware did not come up: {0}")]
    Boot(DeviceFault),
}

/// Real firmware in QEMU.
#[derive(Debug)]
pub struct QemuDevice {
    process: QemuProcess,
    link: UnixStream,
    frames: UnixDatagram,
    encoder: Encoder,
    decoder: Decoder,
    limit: Duration,
    /// The last grant; its number is 0 before the first.
    granted: Grant,
    idle: Idle,
    /// Messages that crossed the link's byte stream, in each direction.
    link_tx: u32,
    link_rx: u32,
    mac: [u8; 6],
    frames_tx: u32,
    frames_rx: u32,
    boot_nonce: Option<u64>,
    /// Output of the boot, before anyone asked.
    pending: Vec<DeviceOutput>,
}

impl QemuDevice {
    /// Boots the firmware and waits until it is idle for the first time.
    pub fn launch(board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<Self, QemuError> {
        let incomplete = |section| QemuError::Incomplete { board: board.id.clone(), section };
        let qemu = board.qemu.as_ref().ok_or_else(|| incomplete("qemu"))?;
        let binary = qemu_binary();
        check_version(&binary, &qemu.min_version, &board.id)?;
        let io = |doing| move |error: std::io::Error| QemuError::Io { doing, error: error.to_string() };
        let folder = tempfile::Builder::new()
            .prefix("hilarm-")
            .tempdir()
            .map_err(io("creating a folder for QEMU's sockets"))?;
        let at = paths(&folder);
        let listener = UnixListener::bind(at.link()).map_err(io("listening for the device's link"))?;
        listener.set_nonblocking(true).map_err(io("listening for the device's link"))?;
        let frames = UnixDatagram::bind(at.frames_in()).map_err(io("opening the device's network"))?;
        frames.set_nonblocking(true).map_err(io("opening the device's network"))?;
        let blob = config_blob(config);
        let mut process = QemuProcess::launch(&binary, board, qemu, elf, config.network.mac, &blob, folder)?;
        let link = accept(&listener, &mut process, board.timeouts.boot).map_err(QemuError::Boot)?;
        link.set_nonblocking(true).map_err(io("listening for the device's link"))?;
        let mut device = Self {
            process,
            link,
            frames,
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            limit: board.timeouts.boot,
            granted: Grant { seq: 0, mono_us: 0, unix_us: 0 },
            idle: Idle::default(),
            link_tx: 0,
            link_rx: 0,
            mac: config.network.mac,
            frames_tx: 0,
            frames_rx: 0,
            boot_nonce: None,
            pending: Vec::new(),
        };
        let mut output = Vec::new();
        device.until_idle(&mut output, "the firmware's first idle").map_err(QemuError::Boot)?;
        device.pending = output;
        device.limit = board.timeouts.step;
        Ok(device)
    }

    /// Process id of QEMU, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    fn send(&mut self, message: &ToDevice) -> Result<(), DeviceFault> {
        let bytes = self.encoder.encode(message);
        self.link_tx = self.link_tx.wrapping_add(1);
        let mut rest = &bytes[..];
        let give_up = Instant::now() + self.limit;
        while !rest.is_empty() {
            match self.link.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(&mut [PollFd::new(&self.link, PollFlags::OUT)], give_up)
                        .map_err(|_| self.silent("room on the link"))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.gone("writing to the link", &error)),
            }
        }
        Ok(())
    }

    fn send_frame(&mut self, frame: &[u8]) -> Result<(), DeviceFault> {
        self.send_datagram(frame)?;
        self.frames_tx = self.frames_tx.wrapping_add(1);
        Ok(())
    }

    fn send_datagram(&mut self, frame: &[u8]) -> Result<(), DeviceFault> {
        let give_up = Instant::now() + self.limit;
        loop {
            match self.frames.send_to(frame, self.process.paths().frames_out()) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(&mut [PollFd::new(&self.frames, PollFlags::OUT)], give_up)
                        .map_err(|_| self.silent("room on the network"))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.gone("sending a frame", &error)),
            }
        }
    }

    fn grant(&mut self, now: Now, output: &mut Vec<DeviceOutput>) -> Result<(), DeviceFault> {
        self.granted = Grant {
            seq: self.granted.seq.wrapping_add(1),
            mono_us: now.mono.as_micros(),
            unix_us: now.unix.as_micros(),
        };
        let frame = to_ethernet(&ToDevice::Time(self.granted), self.mac, GATEWAY_MAC);
        self.send_datagram(&frame)?;
        self.until_idle(output, "idle after a grant of time")
    }

    fn is_current(&self, now: Now) -> bool {
        self.granted.seq != 0
            && self.granted.mono_us == now.mono.as_micros()
            && self.granted.unix_us == now.unix.as_micros()
    }

    /// Whether the last idle accounts for all that crossed.
    fn is_settled(&self) -> bool {
        self.boot_nonce.is_some()
            && self.idle.seq == self.granted.seq
            && self.idle.link_rx == self.link_tx
            && self.idle.link_tx == self.link_rx
            && self.idle.frames_rx == self.frames_tx
            && self.idle.frames_tx == self.frames_rx
    }

    fn until_idle(&mut self, output: &mut Vec<DeviceOutput>, what: &str) -> Result<(), DeviceFault> {
        let give_up = Instant::now() + self.limit;
        let mut events = Vec::new();
        loop {
            self.read_frames(output)?;
            self.read_link(&mut events)?;
            if self.idle.frames_dropped != 0 {
                return Err(DeviceFault::FramesDropped(self.idle.frames_dropped));
            }
            if self.is_settled() {
                // Frames first, reports second: the order of two sockets is nobody's, so it is fixed here.
                output.extend(events.into_iter().map(DeviceOutput::Report));
                return Ok(());
            }
            let now = Instant::now();
            if now >= give_up {
                return Err(self.silent(what));
            }
            let mut on = [PollFd::new(&self.link, PollFlags::IN), PollFd::new(&self.frames, PollFlags::IN)];
            if wait(&mut on, give_up.min(now + PANIC_POLL)).is_err()
                && let Some(message) = self.panic_message()
            {
                return Err(DeviceFault::Panicked { message });
            }
        }
    }

    fn read_frames(&mut self, output: &mut Vec<DeviceOutput>) -> Result<(), DeviceFault> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        for _ in 0..READS_MAX {
            match self.frames.recv(&mut buffer) {
                Ok(length) => match from_ethernet::<FromDevice>(&buffer[..length]) {
                    None => {
                        self.frames_rx = self.frames_rx.wrapping_add(1);
                        output.push(DeviceOutput::Link(LinkInput::Frame(buffer[..length].to_vec())));
                    }
                    Some(Ok(FromDevice::Time(idle))) => self.idle = idle,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(DeviceFault::Link(error)),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.gone("receiving frames", &error)),
            }
        }
        Ok(())
    }

    fn read_link(&mut self, events: &mut Vec<FromDevice>) -> Result<(), DeviceFault> {
        let mut buffer = [0; 4096];
        for _ in 0..READS_MAX {
            match self.link.read(&mut buffer) {
                Ok(0) => return Err(self.exited()),
                Ok(length) => {
                    for &byte in &buffer[..length] {
                        if let Some(message) = self.decoder.push::<FromDevice>(byte) {
                            self.link_rx = self.link_rx.wrapping_add(1);
                            self.take(message.map_err(|error| self.link_fault(error))?, events)?;
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.gone("reading the link", &error)),
            }
        }
        Ok(())
    }

    /// A sequence that begins anew in the middle is a reboot: a byte stream of the kernel's loses nothing. The
    /// nonce of that boot has not come yet, and counts as 0.
    fn link_fault(&self, error: FrameError) -> DeviceFault {
        match (error, self.boot_nonce) {
            (FrameError::Gap { got: 0, .. }, Some(first)) => DeviceFault::Rebooted { first, second: 0 },
            _ => DeviceFault::Link(error),
        }
    }

    fn take(&mut self, message: FromDevice, events: &mut Vec<FromDevice>) -> Result<(), DeviceFault> {
        match message {
            // Time goes over the interface.
            FromDevice::Time(_) => {}
            FromDevice::Event(DeviceEvent::Booted { nonce, .. }) if self.boot_nonce.is_some() => {
                let first = self.boot_nonce.unwrap_or_default();
                return Err(DeviceFault::Rebooted { first, second: nonce });
            }
            other => {
                if let FromDevice::Event(DeviceEvent::Booted { nonce, .. }) = &other {
                    self.boot_nonce = Some(*nonce);
                }
                events.push(other);
            }
        }
        Ok(())
    }

    fn panic_message(&self) -> Option<String> {
        let console = self.process.console_tail();
        console
            .find("PANIC: ")
            .map(|at| console[at + "PANIC: ".len()..].lines().next().unwrap_or("").to_owned())
    }

    fn silent(&self, waited_for: &str) -> DeviceFault {
        if let Some(message) = self.panic_message() {
            return DeviceFault::Panicked { message };
        }
        DeviceFault::Silent {
            waited_for: waited_for.to_owned(),
            limit: self.limit,
            detail: detail("console", &self.process.console_tail()),
        }
    }

    fn exited(&mut self) -> DeviceFault {
        // The socket closes a moment before the process can be waited for.
        let give_up = Instant::now() + Duration::from_secs(2);
        while Instant::now() < give_up {
            if let Some(status) = self.process.exit_status() {
                return exited(&self.process, status);
            }
            std::thread::yield_now();
        }
        exited(&self.process, "its link closed".to_owned())
    }

    fn gone(&mut self, doing: &'static str, error: &std::io::Error) -> DeviceFault {
        match error.kind() {
            ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotFound => self.exited(),
            _ => DeviceFault::Io { doing, error: error.to_string() },
        }
    }
}

impl Device for QemuDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        let mut output = std::mem::take(&mut self.pending);
        if !self.is_current(now) {
            self.grant(now, &mut output)?;
        }
        match stimulus {
            Stimulus::Tick => {}
            Stimulus::Link(LinkOutput::Frame(frame)) => {
                self.send_frame(&frame)?;
                self.until_idle(&mut output, "idle after a frame")?;
            }
            // A device with an interface of its own is never offered sockets.
            Stimulus::Link(_) => {}
            Stimulus::Command { id, command } => {
                self.send(&ToDevice::Command { id, command })?;
                self.until_idle(&mut output, "idle after a command")?;
            }
        }
        Ok(output)
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.idle.deadline_us.map(Monotonic::from_micros)
    }
}

fn check_version(binary: &str, needed: &str, board: &str) -> Result<(), QemuError> {
    // One process runs one QEMU; asking it for its version takes as long as booting half a device.
    static FOUND: OnceLock<Option<QemuVersion>> = OnceLock::new();
    let found = FOUND.get_or_init(|| qemu_version(binary));
    let found = found.ok_or_else(|| QemuError::Absent { binary: binary.to_owned() })?;
    match QemuVersion::parse(needed) {
        Some(least) if found < least => {
            Err(QemuError::TooOld { found, needed: needed.to_owned(), board: board.to_owned() })
        }
        _ => Ok(()),
    }
}

fn accept(
    listener: &UnixListener,
    process: &mut QemuProcess,
    limit: Duration,
) -> Result<UnixStream, DeviceFault> {
    let give_up = Instant::now() + limit;
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                return Err(DeviceFault::Io { doing: "accepting the link", error: error.to_string() });
            }
        }
        if let Some(status) = process.exit_status() {
            return Err(exited(process, status));
        }
        let soon = give_up.min(Instant::now() + BOOT_POLL);
        if wait(&mut [PollFd::new(listener, PollFlags::IN)], soon).is_err() && Instant::now() >= give_up {
            let detail = detail("QEMU said", &process.stderr_tail());
            return Err(DeviceFault::LinkNotOpened { limit, detail });
        }
    }
}

fn exited(process: &QemuProcess, status: String) -> DeviceFault {
    DeviceFault::Exited { what: "QEMU", status, detail: detail("QEMU said", &process.stderr_tail()) }
}

fn detail(label: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; {label}: {text}") }
}
