//! A device in QEMU: the process and its sockets, assembled into a [`LinkedDevice`].

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hilarm_link::{DeviceConfig, config_blob};
use hilarm_model::{Monotonic, Now};
use rustix::event::{PollFd, PollFlags};

use super::monitor::Monitor;
use super::process::{CABLE, QemuProcess, paths};
use super::version::{QemuVersion, qemu_binary, qemu_version};
use crate::autopsy::{LastGiven, PANIC, by_words};
use crate::foreign::{IdentityError, Written, written};
use crate::linked::readiness::wait;
use crate::linked::{FrameSocket, Frames, Host, LinkedDevice, Parts, Wire, WireError};
use crate::{
    Autopsy, Board, Device, DeviceFault, DeviceOutput, Doorbell, Elf, LinkVia, Pace, SerialAddress,
    SerialWire, Stimulus,
};

const BOOT_POLL: Duration = Duration::from_millis(20);

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
    /// The firmware cannot be told who it is.
    #[error("the identity cannot be written: {0}")]
    Identity(#[from] IdentityError),
    /// The firmware did not come up.
    #[error("the firmware did not come up: {0}")]
    Boot(DeviceFault),
}

/// Real firmware in QEMU.
#[derive(Debug)]
pub struct QemuDevice {
    device: LinkedDevice,
    process_id: u32,
    board: String,
    given: LastGiven,
    fault: Option<DeviceFault>,
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
        let link = board.link.as_ref().filter(|link| link.via == LinkVia::Serial);
        let listens_at = if link.is_some() { at.monitor() } else { at.link() };
        let listener = UnixListener::bind(listens_at).map_err(io("listening for the device's link"))?;
        listener.set_nonblocking(true).map_err(io("listening for the device's link"))?;
        let mac = config.network.mac;
        let frames = match qemu.nic {
            Some(_) => FrameSocket::bind(&at.frames_in(), at.frames_out(), mac)
                .map(Frames::Socket)
                .map_err(io("opening the device's network"))?,
            None => Frames::OverLink,
        };
        let identity = match (&board.identity, qemu.config_address) {
            (Some(spec), _) => written(spec, elf, config)?,
            (None, Some(address)) => Some(Written { address, bytes: config_blob(config) }),
            (None, None) => return Err(incomplete("identity")),
        };
        let mut process = QemuProcess::launch(&binary, board, qemu, elf, mac, identity.as_ref(), folder)?;
        let stream = accept(&listener, &mut process, board.timeouts.boot).map_err(QemuError::Boot)?;
        let wire: Box<dyn Wire> = match link {
            Some(link) => Box::new(cable(stream, link.baud, board.timeouts.boot)?),
            None => {
                stream.set_nonblocking(true).map_err(io("listening for the device's link"))?;
                Box::new(stream)
            }
        };
        let process_id = process.id();
        let parts = Parts { host: Box::new(process), wire, frames };
        let device = LinkedDevice::boot_at(board.pace(), parts, board.timeouts).map_err(QemuError::Boot)?;
        let (board, given) = (board.id.clone(), LastGiven::default());
        Ok(Self { device, process_id, board, given, fault: None })
    }

    /// Process id of QEMU, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }
}

impl Device for QemuDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        self.given.note(&stimulus, now);
        let stepped = self.device.step(stimulus, now);
        self.fault = stepped.as_ref().err().cloned().or(self.fault.take());
        stepped
    }

    fn autopsy(&mut self) -> Option<Autopsy> {
        by_words(&self.board, self.fault.as_ref()?, &self.device.last_words(), &self.given)
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.device.deadline()
    }

    fn pace(&self) -> Pace {
        self.device.pace()
    }

    fn listen(&mut self, bell: &Doorbell) {
        self.device.listen(bell);
    }
}

impl Host for QemuProcess {
    fn trouble(&mut self) -> Option<DeviceFault> {
        let console = self.console_tail();
        let (_, message) = console.split_once(PANIC)?;
        Some(DeviceFault::Panicked { message: message.lines().next().unwrap_or_default().to_owned() })
    }

    fn lost(&mut self, _doing: &'static str, _error: &WireError) -> DeviceFault {
        // The socket closes a moment before the process can be waited for.
        let give_up = Instant::now() + Duration::from_secs(2);
        while Instant::now() < give_up {
            if let Some(status) = self.exit_status() {
                return exited(self, status);
            }
            std::thread::yield_now();
        }
        exited(self, "its link closed".to_owned())
    }

    fn last_words(&self) -> String {
        self.console_tail()
    }

    fn detail(&self) -> String {
        detail("console", &self.console_tail())
    }
}

pub(crate) fn check_version(binary: &str, needed: &str, board: &str) -> Result<(), QemuError> {
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

/// The other end of a serial cable to a guest that stands still; holding it, the guest may begin.
fn cable(monitor: UnixStream, baud: u32, limit: Duration) -> Result<SerialWire, QemuError> {
    let io = |doing| move |error: std::io::Error| QemuError::Io { doing, error: error.to_string() };
    let mut monitor = Monitor::new(monitor, limit).map_err(io("greeting QEMU's monitor"))?;
    let port = monitor.pseudo_terminal(CABLE).map_err(io("asking QEMU for its serial port"))?;
    let wire = SerialWire::open(SerialAddress::Path(port), baud)
        .map_err(|error| QemuError::Io { doing: "plugging the cable in", error: error.to_string() })?;
    monitor.resume().map_err(io("letting QEMU run"))?;
    Ok(wire)
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
