//! What a bridge is told: where QEMU's two sockets are, where the debugger will come, what core it is.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The path of a Unix stream socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<&Path> for Endpoint {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Where the debugger will connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket, which must not exist yet and is removed at the end.
    Unix(PathBuf),
    /// A free TCP port of 127.0.0.1.
    Loopback,
}

/// Which core QEMU emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreKind {
    /// ARMv7-M: Cortex-M3, M4 or M7 (mps2-an385, mps2-an386, netduinoplus2).
    Armv7m,
    /// ARMv8-M mainline: Cortex-M33 (mps2-an505).
    Armv8m,
}

/// All that a bridge needs to know.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// QEMU's `-gdb` socket.
    pub gdb: Endpoint,
    /// A `-qmp` socket of the same QEMU, which nobody else uses.
    pub qmp: Endpoint,
    /// Where the debugger will come.
    pub listen: Listen,
    /// The core's architecture.
    pub core: CoreKind,
    /// The longest wait for one answer of QEMU, also for the sockets to appear at the start.
    pub reply_limit: Duration,
}

impl BridgeConfig {
    /// The limit that suits a machine which others load too.
    pub const DEFAULT_REPLY_LIMIT: Duration = Duration::from_secs(5);

    /// A bridge between QEMU's two sockets and a new socket for the debugger.
    pub fn new(gdb: impl Into<Endpoint>, qmp: impl Into<Endpoint>, listen: Listen, core: CoreKind) -> Self {
        let reply_limit = Self::DEFAULT_REPLY_LIMIT;
        Self { gdb: gdb.into(), qmp: qmp.into(), listen, core, reply_limit }
    }
}
