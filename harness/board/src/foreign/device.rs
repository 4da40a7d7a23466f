//! A device in QEMU that knows nothing of the harness: no link, no granted time, only an interface. It lives at
//! its own pace; a thread watches its frames and rings for the world.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hilarm_link::{CommandError, DeviceConfig, FromDevice, LogLevel};
use hilarm_model::{Monotonic, Now};
use hilarm_network::{LinkInput, LinkOutput};
use rustix::event::{PollFd, PollFlags, poll};

use super::written;
use crate::linked::Host;
use crate::linked::readiness::wait;
use crate::qemu::process::{QemuProcess, machine, network, paths};
use crate::qemu::version::check_version;
use crate::{
    Board, Device, DeviceFault, DeviceOutput, Doorbell, Elf, Pace, QemuError, Stimulus, qemu_binary,
};

const FRAME_BYTES_MAX: usize = 2048;

/// Firmware without a link, in QEMU.
#[derive(Debug)]
pub struct UnlinkedDevice {
    /// First, so that it is dropped first: QEMU must not see its sockets vanish.
    process: QemuProcess,
    socket: UnixDatagram,
    limit: Duration,
    watch: Option<Watch>,
    console: Console,
}

impl UnlinkedDevice {
    /// Starts the firmware; there is nobody to say when it has come up.
    pub fn launch(board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<Self, QemuError> {
        let incomplete = |section| QemuError::Incomplete { board: board.id.clone(), section };
        let qemu = board.qemu.as_ref().ok_or_else(|| incomplete("qemu"))?;
        let identity = board.identity.as_ref().ok_or_else(|| incomplete("identity"))?;
        let binary = qemu_binary();
        check_version(&binary, &qemu.min_version, &board.id)?;
        let io = |doing| move |error: std::io::Error| QemuError::Io { doing, error: error.to_string() };
        let folder = tempfile::Builder::new()
            .prefix("hilarm-")
            .tempdir()
            .map_err(io("creating a folder for QEMU's sockets"))?;
        let at = paths(&folder);
        let socket = UnixDatagram::bind(at.frames_in()).map_err(io("opening the device's network"))?;
        socket.set_nonblocking(true).map_err(io("opening the device's network"))?;
        let mut command = machine(&binary, &qemu.machine);
        command.arg("-kernel").arg(elf.path());
        if let Some(written) = written(identity, elf, config)? {
            std::fs::write(at.config(), written.bytes).map_err(io("writing the identity"))?;
            let place =
                format!("loader,file={},addr={:#x},force-raw=on", at.config().display(), written.address);
            command.arg("-device").arg(place);
        }
        command.args(network(qemu.nic.as_deref(), &at, config.network.mac));
        command.arg("-serial").arg(format!("file:{}", at.console().display()));
        let process = QemuProcess::spawn(command, board, folder)?;
        Ok(Self { process, socket, limit: board.timeouts.step, watch: None, console: Console::default() })
    }

    /// Process id of QEMU, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), DeviceFault> {
        let give_up = Instant::now() + self.limit;
        loop {
            match self.socket.send_to(frame, self.process.paths().frames_out()) {
                Ok(_) => return Ok(()),
                // QEMU opens its socket when it has started; what is sent before is lost, as on any cable.
                Err(error) if is_unconnected(&error) => return self.check_alive(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.check_alive()?;
                    wait(&mut [PollFd::new(&self.socket, PollFlags::OUT)], give_up)
                        .map_err(|_| self.silent())?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(DeviceFault::Io { doing: "sending a frame", error: error.to_string() });
                }
            }
        }
    }

    fn silent(&self) -> DeviceFault {
        DeviceFault::Silent {
            waited_for: "room on the network".to_owned(),
            limit: self.limit,
            detail: self.process.detail(),
        }
    }

    fn check_alive(&mut self) -> Result<(), DeviceFault> {
        let Some(status) = self.process.exit_status() else { return Ok(()) };
        let said = self.process.stderr_tail();
        let detail = if said.is_empty() { said } else { format!("; QEMU said: {said}") };
        Err(DeviceFault::Exited { what: "QEMU", status, detail })
    }
}

fn is_unconnected(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

impl Device for UnlinkedDevice {
    fn step(&mut self, stimulus: Stimulus, _now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        let mut output = Vec::new();
        match stimulus {
            Stimulus::Link(LinkOutput::Frame(frame)) => self.send(&frame)?,
            // A device with an interface of its own is never offered sockets.
            Stimulus::Tick | Stimulus::Link(_) => {}
            Stimulus::Command { id, .. } => {
                let reason = "its firmware has no link to the harness".to_owned();
                let result = Err(CommandError::NotNow { reason });
                output.push(DeviceOutput::Report(FromDevice::Response { id, result }));
            }
        }
        let frames = self.watch.iter().flat_map(|watch| watch.frames.try_iter());
        output.extend(frames.map(|frame| DeviceOutput::Link(LinkInput::Frame(frame))));
        let lines = self.console.read(&self.process);
        output.extend(
            lines
                .into_iter()
                .map(|text| DeviceOutput::Report(FromDevice::Log { level: LogLevel::Info, text })),
        );
        self.check_alive()?;
        Ok(output)
    }

    fn deadline(&self) -> Option<Monotonic> {
        None
    }

    fn pace(&self) -> Pace {
        Pace::Real
    }

    fn listen(&mut self, bell: &Doorbell) {
        // Without a second descriptor nobody would ring: the next step finds the device silent then.
        self.watch = self.socket.try_clone().ok().and_then(|socket| Watch::begin(socket, bell.clone()));
    }
}

/// The thread that takes frames as they come. It ends with its owner.
#[derive(Debug)]
struct Watch {
    frames: mpsc::Receiver<Vec<u8>>,
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    fn begin(socket: UnixDatagram, bell: Doorbell) -> Option<Self> {
        let (stop, stopped) = UnixStream::pair().ok()?;
        let (sender, frames) = mpsc::channel();
        let thread = std::thread::Builder::new().name("frames".to_owned());
        let thread = thread.spawn(move || pass_on(&socket, &stopped, &sender, &bell)).ok()?;
        Some(Self { frames, stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread waits for this byte, or for the end of the stream if there is no room for it.
        let _ = self.stop.write_all(&[0]);
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

fn pass_on(socket: &UnixDatagram, stopped: &UnixStream, to: &mpsc::Sender<Vec<u8>>, bell: &Doorbell) {
    let mut buffer = [0; FRAME_BYTES_MAX];
    loop {
        let mut on = [PollFd::new(socket, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut on, None) {
            Ok(_) if on[1].revents().is_empty() => {}
            Err(rustix::io::Errno::INTR) => continue,
            _ => return,
        }
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if to.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
                bell.ring();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

/// What the firmware writes to its console, line by line.
#[derive(Debug, Default)]
struct Console {
    file: Option<File>,
    partial: Vec<u8>,
}

impl Console {
    fn read(&mut self, process: &QemuProcess) -> Vec<String> {
        if self.file.is_none() {
            // QEMU creates it when it has started.
            self.file = File::open(process.paths().console()).ok();
        }
        let Some(file) = &mut self.file else { return Vec::new() };
        // A console that cannot be read only explains less.
        let _ = file.read_to_end(&mut self.partial);
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.partial.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }
}
