//! QEMU in place of silicon: started halted and empty, with the probe bridge as its debug probe. What is behind the
//! bridge is flashed, reset and watched by the same code as a board on a desk.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hilarm_probe_bridge::{Bridge, BridgeConfig, CoreKind, Ended, Listen};
use tempfile::TempDir;

use super::ProbeError;
use crate::qemu::monitor::Monitor;
use crate::qemu::process::{QemuProcess, machine, network, paths};
use crate::qemu::version::check_version;
use crate::{Board, CoreArchitecture, EmulatorSpec, LinkVia, qemu_binary};

/// How often a socket that QEMU is about to make is looked for.
const SOCKET_POLL: Duration = Duration::from_millis(2);
/// Of the interface until the firmware sets its own, as all of ours do.
const FACTORY_MAC: [u8; 6] = [0x02, 0x48, 0x49, 0x4C, 0x00, 0x01];
/// QEMU's name of the UART that carries the link.
const LINK_PORT: &str = "link";

/// A running emulator with its bridge. Dropping it ends both.
#[derive(Clone, Debug)]
pub(super) struct Emulator {
    parts: Arc<Mutex<Parts>>,
    selector: String,
    /// The pseudo-terminal that carries the link.
    port: Option<PathBuf>,
    /// Where the harness receives frames, and where QEMU does.
    frames: Option<(PathBuf, PathBuf)>,
}

/// What holds an emulated board to its probe.
#[derive(Clone, Debug)]
pub(super) struct Plug(Weak<Mutex<Parts>>);

impl Plug {
    /// Pulls it out; tells whether anything was there that had not been pulled out before.
    pub(super) fn pull(&self) -> bool {
        let Some(parts) = self.0.upgrade() else { return false };
        let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
        let was_in = parts.bridge.ended().is_none();
        parts.bridge.stop();
        was_in
    }

    /// Whether the board is still there.
    pub(super) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}

#[derive(Debug)]
struct Parts {
    bridge: Bridge,
    process: QemuProcess,
}

impl Emulator {
    /// Starts QEMU and the bridge. Where the board has an interface, the harness must listen at its socket at once.
    pub(super) fn start(board: &Board, emulator: &EmulatorSpec) -> Result<Self, ProbeError> {
        let broken = |error: &dyn std::fmt::Display| ProbeError::Emulator(error.to_string());
        let limit = board.timeouts.boot;
        let binary = qemu_binary();
        check_version(&binary, &emulator.min_version, &board.id).map_err(|error| broken(&error))?;
        let folder = tempfile::Builder::new().prefix("hilarm-").tempdir().map_err(|error| broken(&error))?;
        let at = |name: &str| folder.path().join(name);
        let (gdb, qmp, own_qmp, probe) = (at("gdb"), at("qmp-b"), at("qmp-h"), at("probe"));
        let frames = emulator.nic.is_some().then(|| {
            let at = paths(&folder);
            (at.frames_in(), at.frames_out())
        });
        let mut process = start_qemu(board, emulator, &binary, folder)?;
        await_sockets(&mut process, &[&gdb, &qmp], limit).map_err(|error| broken(&error))?;
        let kind = match emulator.core {
            CoreArchitecture::Armv7m => CoreKind::Armv7m,
            CoreArchitecture::Armv8m => CoreKind::Armv8m,
        };
        let config =
            BridgeConfig { reply_limit: limit, ..BridgeConfig::new(gdb, qmp, Listen::Unix(probe), kind) };
        let started = Bridge::start(config);
        let bridge =
            started.map_err(|error| broken(&format!("{error}; QEMU said: {}", process.stderr_tail())))?;
        let port = match board.link.as_ref().map(|link| link.via) {
            Some(LinkVia::Serial) => Some(link_port(&own_qmp, limit).map_err(|error| broken(&error))?),
            _ => None,
        };
        let selector = bridge.selector();
        let parts = Arc::new(Mutex::new(Parts { bridge, process }));
        Ok(Self { parts, selector, port, frames })
    }

    /// What probe-rs opens.
    pub(super) fn selector(&self) -> &str {
        &self.selector
    }

    /// The serial port of the link.
    pub(super) fn port(&self) -> Option<&PathBuf> {
        self.port.as_ref()
    }

    /// Sockets of the interface: the harness's, then QEMU's.
    pub(super) fn frames(&self) -> Option<&(PathBuf, PathBuf)> {
        self.frames.as_ref()
    }

    /// Why it is gone, if it is.
    pub(super) fn gone(&self) -> Option<String> {
        let mut parts = self.parts();
        if let Some(status) = parts.process.exit_status() {
            let said = parts.process.stderr_tail();
            return Some(format!(
                "QEMU ended: {status}{}{said}",
                if said.is_empty() { "" } else { "; it said: " }
            ));
        }
        parts.bridge.ended().map(|ended| match ended {
            // Its sockets close a moment before its process can be waited for.
            Ended::QemuGone => "QEMU ended".to_owned(),
            Ended::Stopped => "the probe bridge was stopped".to_owned(),
            Ended::Silent(waited_for) => format!("QEMU did not answer the probe bridge: {waited_for}"),
            Ended::Garbled(what) => format!("QEMU answered the probe bridge what no gdbstub answers: {what}"),
        })
    }

    /// The end of what the firmware wrote to its console.
    pub(super) fn console_tail(&self) -> String {
        self.parts().process.console_tail()
    }

    /// Ends the bridge and leaves QEMU: a probe that is unplugged.
    pub(super) fn unplug(&self) {
        self.parts().bridge.stop();
    }

    /// What [`unplug`](Self::unplug) needs, for somebody who must not keep it alive.
    pub(super) fn plug(&self) -> Plug {
        Plug(Arc::downgrade(&self.parts))
    }

    /// Process id of QEMU, for tests that kill it.
    pub(super) fn process_id(&self) -> u32 {
        self.parts().process.id()
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_qemu(
    board: &Board,
    emulator: &EmulatorSpec,
    binary: &str,
    folder: TempDir,
) -> Result<QemuProcess, ProbeError> {
    let at = paths(&folder);
    let mut command = machine(binary, &emulator.machine);
    let socket = |name: &str| folder.path().join(name).display().to_string();
    command.args(["-S", "-gdb", &format!("unix:{},server=on,wait=off", socket("gdb"))]);
    for name in ["qmp-b", "qmp-h"] {
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", socket(name))]);
    }
    command.args(network(emulator.nic.as_deref(), &at, FACTORY_MAC));
    command.args(serial_ports(board, &at.console().display().to_string()));
    QemuProcess::spawn(command, board, folder).map_err(|error| ProbeError::Emulator(error.to_string()))
}

/// Waits until QEMU listens, or has ended: a machine that it does not know would else be waited for.
fn await_sockets(process: &mut QemuProcess, sockets: &[&PathBuf], limit: Duration) -> Result<(), String> {
    let give_up = Instant::now() + limit;
    while !sockets.iter().all(|socket| socket.exists()) {
        if let Some(status) = process.exit_status() {
            let said = process.stderr_tail();
            return Err(format!(
                "QEMU ended: {status}{}{said}",
                if said.is_empty() { "" } else { "; it said: " }
            ));
        }
        if Instant::now() >= give_up {
            // Whoever connects says what for, and what became of it.
            break;
        }
        thread::sleep(SOCKET_POLL);
    }
    Ok(())
}

/// The console on the first UART and the link on the second, as a pseudo-terminal.
fn serial_ports(board: &Board, console: &str) -> Vec<String> {
    let console = format!("file:{console}");
    let mut arguments = vec!["-serial".to_owned(), console];
    if board.link.as_ref().is_some_and(|link| link.via == LinkVia::Serial) {
        let port = format!("pty,id={LINK_PORT}");
        arguments.extend(["-chardev".to_owned(), port, "-serial".to_owned(), format!("chardev:{LINK_PORT}")]);
    }
    arguments
}

/// Asks QEMU which pseudo-terminal it made.
fn link_port(qmp: &std::path::Path, limit: Duration) -> std::io::Result<PathBuf> {
    let give_up = Instant::now() + limit;
    let stream = loop {
        match UnixStream::connect(qmp) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() >= give_up => return Err(error),
            Err(_) => thread::sleep(SOCKET_POLL),
        }
    };
    Monitor::new(stream, limit)?.pseudo_terminal(LINK_PORT)
}
