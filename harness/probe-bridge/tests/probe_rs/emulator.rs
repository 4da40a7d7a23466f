//! QEMU with a bridge, and probe-rs attached through it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hilarm_probe_bridge::{Bridge, BridgeConfig, CoreKind, Listen};
use probe_rs::config::Registry;
use probe_rs::flashing::{DownloadOptions, FlashLoader};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, Probe};
use probe_rs::{Core, MemoryInterface, Permissions, Session};
use tempfile::TempDir;

use crate::image::Image;

/// One board.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    pub(crate) machine: &'static str,
    pub(crate) core: CoreKind,
    pub(crate) image: Image,
    /// A UART's registers.
    pub(crate) uart: u64,
}

pub(crate) const MPS2_AN385: Board =
    Board { machine: "mps2-an385", core: CoreKind::Armv7m, image: Image::MPS2_AN385, uart: 0x4000_4000 };
pub(crate) const MPS2_AN505: Board =
    Board { machine: "mps2-an505", core: CoreKind::Armv8m, image: Image::MPS2_AN505, uart: 0x5020_0000 };

/// For whatever the machine or probe-rs may take; nothing waits so long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// QEMU without firmware, as a blank board. It ends with this.
pub(crate) struct Emulator {
    board: Board,
    qemu: Child,
    folder: TempDir,
}

impl Emulator {
    pub(crate) fn start(board: Board) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = |name: &str| format!("unix:{},server=on,wait=off", folder.path().join(name).display());
        let program = std::env::var("HILARM_QEMU").unwrap_or_else(|_| "qemu-system-arm".into());
        let qemu = Command::new(program)
            .args(["-M", board.machine, "-display", "none", "-nodefaults", "-S"])
            .args(["-gdb", &socket("gdb"), "-qmp", &socket("qmp")])
            .stdin(Stdio::null())
            .spawn()
            .expect("QEMU starts: `cargo xtask setup` installs it");
        Self { board, qemu, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self, listen: Listen) -> BridgeConfig {
        BridgeConfig::new(self.path("gdb"), self.path("qmp"), listen, self.board.core)
    }

    /// A bridge that listens on a Unix socket.
    pub(crate) fn bridge(&self) -> Bridge {
        Bridge::start(self.config(Listen::Unix(self.path("probe")))).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.qemu.kill().unwrap();
        self.qemu.wait().unwrap();
    }

    /// Whether QEMU lives.
    pub(crate) fn lives(&mut self) -> bool {
        self.qemu.try_wait().unwrap().is_none()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// The stock driver's probe.
pub(crate) fn open(bridge: &Bridge) -> Probe {
    let selector: DebugProbeSelector = bridge.selector().parse().unwrap();
    Lister::new().open(selector).unwrap()
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add_target_family_from_yaml(include_str!("targets.yaml")).unwrap();
    registry
}

pub(crate) fn attach(bridge: &Bridge, board: Board) -> Session {
    open(bridge).attach_with_registry(board.machine, Permissions::default(), &registry()).unwrap()
}

/// Flashes and verifies the board's image by its flash algorithm.
pub(crate) fn flash(session: &mut Session, board: Board) {
    let mut loader: FlashLoader = session.target().flash_loader();
    loader.add_data(u64::from(board.image.flash), &board.image.bytes()).unwrap();
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(session, options).unwrap();
}

/// A session with a board that holds its image.
pub(crate) fn flashed(bridge: &Bridge, board: Board) -> Session {
    let mut session = attach(bridge, board);
    flash(&mut session, board);
    session
}

/// Waits until the program has counted beyond `before`.
pub(crate) fn await_count(core: &mut Core, board: Board, before: u32) {
    let since = Instant::now();
    while core.read_word_32(board.image.counter()).unwrap() <= before {
        assert!(since.elapsed() < LIMIT, "the program does not count");
    }
}
