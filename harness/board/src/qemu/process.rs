//! The QEMU process: launched with everything it needs, watched, and never left behind. It is killed when
//! its owner is dropped (a panic included) and by the kernel when this process dies, however it dies.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::autopsy::PANIC;
use crate::linked::{Host, WireError};
use crate::{Board, DeviceFault, Elf, LinkVia, QemuError, QemuSpec};

const CONSOLE_TAIL_BYTES: usize = 2048;
/// QEMU's name for the pseudo terminal that a link over a serial cable goes through.
pub(super) const CABLE: &str = "cable";

/// A running QEMU and the folder with its sockets and output.
#[derive(Debug)]
pub(crate) struct QemuProcess {
    child: Child,
    folder: TempDir,
    /// Ends the thread that started it.
    _parent: Sender<()>,
}

pub(crate) struct Paths<'a> {
    folder: &'a Path,
}

impl Paths<'_> {
    pub(crate) fn link(&self) -> std::path::PathBuf {
        self.folder.join("link")
    }
    /// Where the harness waits for QEMU's monitor, if it wants to talk to it.
    pub(crate) fn monitor(&self) -> std::path::PathBuf {
        self.folder.join("monitor")
    }
    /// Where the harness waits for QEMU's gdbstub.
    pub(crate) fn debug(&self) -> std::path::PathBuf {
        self.folder.join("debug")
    }
    /// Where the harness receives frames.
    pub(crate) fn frames_in(&self) -> std::path::PathBuf {
        self.folder.join("frames-h")
    }
    /// Where QEMU receives frames.
    pub(crate) fn frames_out(&self) -> std::path::PathBuf {
        self.folder.join("frames-q")
    }
    pub(crate) fn console(&self) -> std::path::PathBuf {
        self.folder.join("console")
    }
    pub(crate) fn stderr(&self) -> std::path::PathBuf {
        self.folder.join("stderr")
    }
    pub(crate) fn config(&self) -> std::path::PathBuf {
        self.folder.join("config")
    }
}

pub(crate) fn paths(folder: &TempDir) -> Paths<'_> {
    Paths { folder: folder.path() }
}

impl QemuProcess {
    /// Starts QEMU in `folder`, where the harness listens at [`Paths::debug`], [`Paths::frames_in`], and
    /// [`Paths::link`] or [`Paths::monitor`]. Its memory is empty and the guest stands still.
    pub(crate) fn launch(
        binary: &str,
        board: &Board,
        qemu: &QemuSpec,
        elf: &Elf,
        mac: [u8; 6],
        folder: TempDir,
    ) -> Result<Self, QemuError> {
        let at = paths(&folder);
        let mut command = machine(binary, &qemu.machine);
        // Whoever looks at the list of processes sees what it runs. QEMU wants a comma twice.
        command.arg("-name").arg(elf.path().display().to_string().replace(',', ",,"));
        command.args(["-S", "-gdb", &format!("unix:{}", at.debug().display())]);
        command.args(network(qemu.nic.as_deref(), &at, mac)).args(serial_ports(board, &at));
        Self::spawn(command, board, folder)
    }

    /// Starts what [`machine`] began to describe, with its error output in `folder`.
    pub(crate) fn spawn(mut command: Command, board: &Board, folder: TempDir) -> Result<Self, QemuError> {
        let io = |doing| move |error: std::io::Error| QemuError::Io { doing, error: error.to_string() };
        // Appended to, like the console, so that it can be emptied between two lives.
        let stderr = File::options().create(true).append(true).open(paths(&folder).stderr());
        let stderr = stderr.map_err(io("creating QEMU's error file"))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            // A group of its own: Ctrl-C reaches us, and we end it in order.
            .process_group(0);
        die_with_parent(&mut command);
        let binary = command.get_program().to_string_lossy().into_owned();
        let (child, parent) = spawn_apart(command).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => QemuError::Absent { binary },
            _ => QemuError::Io { doing: "starting QEMU", error: format!("{error} (board {})", board.id) },
        })?;
        Ok(Self { child, folder, _parent: parent })
    }

    /// How the process ended, if it has.
    pub(crate) fn exit_status(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    pub(crate) fn paths(&self) -> Paths<'_> {
        paths(&self.folder)
    }

    /// Process id, for tests that kill it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of what the firmware wrote to its console.
    pub(crate) fn console_tail(&self) -> String {
        tail(&self.paths().console())
    }

    /// That it ended, and what it said of it.
    pub(super) fn exited(&self, status: String) -> DeviceFault {
        DeviceFault::Exited { what: "QEMU", status, detail: detail("QEMU said", &self.stderr_tail()) }
    }

    /// That it made no connection.
    pub(super) fn not_opened(&self, limit: Duration) -> DeviceFault {
        DeviceFault::LinkNotOpened { limit, detail: detail("QEMU said", &self.stderr_tail()) }
    }

    /// The end of what QEMU wrote to its error output.
    pub(crate) fn stderr_tail(&self) -> String {
        tail(&self.paths().stderr())
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
                return self.exited(status);
            }
            std::thread::yield_now();
        }
        self.exited("its link closed".to_owned())
    }

    fn last_words(&self) -> String {
        self.console_tail()
    }

    fn detail(&self) -> String {
        detail("console", &self.console_tail())
    }
}

impl Drop for QemuProcess {
    fn drop(&mut self) {
        // The whole group: `HILARM_QEMU` may name a wrapper that keeps QEMU as its child. All three fail only
        // when the process is gone already.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine with nothing attached yet.
pub(crate) fn machine(binary: &str, machine: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["-machine", machine, "-display", "none", "-monitor", "none", "-nodefaults"]);
    command
}

/// One interface, where the board has one.
pub(crate) fn network(nic: Option<&str>, at: &Paths<'_>, mac: [u8; 6]) -> Vec<String> {
    let Some(nic) = nic else { return vec!["-net".to_owned(), "none".to_owned()] };
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let backend = format!(
        "dgram,id=n0,local.type=unix,local.path={},remote.type=unix,remote.path={}",
        at.frames_out().display(),
        at.frames_in().display()
    );
    let interface = format!("nic,netdev=n0,model={nic},macaddr={mac}");
    ["-netdev".to_owned(), backend, "-net".to_owned(), interface].into()
}

/// The first two UARTs in the emulator's order: the link on the one that the board's file names, the console
/// on the other. The console's file is appended to, so that it can be emptied between two lives.
fn serial_ports(board: &Board, at: &Paths<'_>) -> Vec<String> {
    let console = "chardev:console".to_owned();
    let file = format!("file,id=console,path={},append=on", at.console().display());
    let over_cable = board.link.as_ref().is_some_and(|link| link.via == LinkVia::Serial);
    let link = if over_cable { format!("chardev:{CABLE}") } else { format!("unix:{}", at.link().display()) };
    let link_first = board.link.as_ref().is_some_and(|link| link.via == LinkVia::Uart0);
    let (first, second) = if link_first { (link, console) } else { (console, link) };
    let mut arguments =
        ["-chardev", &file, "-serial", &first, "-serial", &second].map(str::to_owned).to_vec();
    if over_cable {
        let monitor = format!("unix:{}", at.monitor().display());
        let cable = format!("pty,id={CABLE}");
        arguments.extend(["-qmp", &monitor, "-chardev", &cable].map(str::to_owned));
    }
    arguments
}

fn detail(label: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; {label}: {text}") }
}

fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(CONSOLE_TAIL_BYTES);
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}

/// The kernel ends QEMU with the thread that started it. One that stays open outlives the trial it was started for, and
/// so that trial's thread: a thread of its own starts it and waits.
fn spawn_apart(mut command: Command) -> std::io::Result<(Child, Sender<()>)> {
    let (answer, started) = sync_channel(1);
    let (parent, until_dropped) = channel::<()>();
    let body = move || {
        let spawned = command.spawn();
        // It holds a copy of what QEMU writes its errors to.
        drop(command);
        if answer.send(spawned).is_ok() {
            let _ended = until_dropped.recv();
        }
    };
    thread::Builder::new().name("qemu".to_owned()).spawn(body)?;
    let child = started.recv().map_err(std::io::Error::other)??;
    Ok((child, parent))
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call (prctl), which allocates
    // nothing and takes no lock.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into)
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
