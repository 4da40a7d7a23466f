//! QEMU with a bridge, and probe-rs attached through it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hilarm_probe_bridge::{Bridge, BridgeConfig, CoreKind, Listen};
use probe_rs::config::Registry;
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, Probe};
use probe_rs::{Permissions, Session};
use tempfile::TempDir;

use crate::image::Image;

/// One board.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    pub(crate) machine: &'static str,
    pub(crate) core: CoreKind,
    pub(crate) image: Image,
}

pub(crate) const MPS2_AN385: Board =
    Board { machine: "mps2-an385", core: CoreKind::Armv7m, image: Image::MPS2_AN385 };
pub(crate) const MPS2_AN505: Board =
    Board { machine: "mps2-an505", core: CoreKind::Armv8m, image: Image::MPS2_AN505 };

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
