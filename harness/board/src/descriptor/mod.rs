//! Board files: `boards/<id>.yaml`. The existence of a file creates a board.

mod spec;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Pace;
use crate::foreign::{AgentSpec, IdentitySpec};

pub use spec::{
    Backend, Capability, ChipRegister, CoreArchitecture, EmulatorSpec, FirmwareSpec, LinkSpec, LinkVia,
    ProbeSpec, QemuSpec, ResetKind, Timeouts, WireProtocol,
};

/// A board type, as its file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Stem of the file name; not a field of the file.
    #[serde(skip)]
    pub id: String,
    /// Version of the format; 1.
    pub schema: u32,
    /// The board's name.
    pub name: String,
    /// How devices on it come to life.
    pub backend: Backend,
    /// What the board can do.
    pub capabilities: Vec<Capability>,
    /// The chip, where there is one.
    #[serde(default)]
    pub chip: Option<String>,
    /// The firmware it runs.
    #[serde(default)]
    pub firmware: Option<FirmwareSpec>,
    /// QEMU's part.
    #[serde(default)]
    pub qemu: Option<QemuSpec>,
    /// The debug probe that flashes, resets and watches it.
    #[serde(default)]
    pub probe: Option<ProbeSpec>,
    /// QEMU in place of silicon behind the debug probe.
    #[serde(default)]
    pub emulator: Option<EmulatorSpec>,
    /// How to reset it, the gentlest first.
    #[serde(default)]
    pub reset: Vec<ResetKind>,
    /// How firmware of somebody else's learns who it is.
    #[serde(default)]
    pub identity: Option<IdentitySpec>,
    /// What the firmware's end of the link can do, where that is less than hilarm's own agent can.
    #[serde(default)]
    pub agent: Option<AgentSpec>,
    /// What carries the link.
    #[serde(default)]
    pub link: Option<LinkSpec>,
    /// Wall-clock limits.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Why a board cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// No such file.
    #[error("no board `{id}` in {folder}: there is {known}{hint}")]
    Unknown {
        /// The id asked for.
        id: String,
        /// Where boards were looked for.
        folder: PathBuf,
        /// What is there.
        known: String,
        /// `; did you mean ...?`
        hint: String,
    },
    /// The folder or a file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// The file does not decode; the message holds line and column.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// The file of what is plugged in is wrong.
    #[error(transparent)]
    Local(#[from] crate::LocalErrors),
}

impl Board {
    /// Reads one board file.
    pub fn read(path: &Path) -> Result<Self, BoardError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| BoardError::Unreadable { path: path.to_owned(), error })?;
        let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut board = Self::parse(&id, &text)
            .map_err(|message| BoardError::Invalid { path: path.to_owned(), message })?;
        board.resolve(path.parent().and_then(Path::parent).unwrap_or(Path::new("")));
        Ok(board)
    }

    /// Makes its paths independent of the current folder.
    fn resolve(&mut self, project: &Path) {
        if let Some(elf) = self.firmware.as_mut().and_then(|firmware| firmware.elf.as_mut()) {
            *elf = project.join(&elf);
        }
        if let Some(identity) = &mut self.identity {
            identity.resolve(project);
        }
    }

    /// Whose time devices on it live in.
    pub fn pace(&self) -> Pace {
        if self.capabilities.contains(&Capability::VirtualTime) { Pace::Granted } else { Pace::Real }
    }

    /// Whether its firmware is somebody else's.
    pub fn is_of_others(&self) -> bool {
        self.firmware.as_ref().is_some_and(|firmware| firmware.elf.is_some())
    }

    fn check_firmware(&self) -> Result<(), String> {
        self.firmware.as_ref().map_or(Ok(()), FirmwareSpec::check)?;
        self.identity.as_ref().map_or(Ok(()), IdentitySpec::check)?;
        let loads = self.qemu.as_ref().is_none_or(|qemu| qemu.config_address.is_some());
        if !loads && self.identity.is_none() {
            return Err("`qemu` needs `config_address`, or the board a section `identity`".to_owned());
        }
        if self.backend == Backend::Probe && self.identity.is_some() {
            return Err(
                "`identity` is for boards in QEMU: behind a debug probe the configuration blob goes to \
                        `probe.config_address`"
                    .to_owned(),
            );
        }
        if self.backend == Backend::Qemu && self.link.is_none() && self.identity.is_none() {
            return Err("firmware without a `link` needs a section `identity`".to_owned());
        }
        Ok(())
    }

    /// An emulator of ours offers its UARTs, a probe its RTT; a serial port is for either.
    fn check_link(&self) -> Result<(), String> {
        let Some(via) = self.link.as_ref().map(|link| link.via) else { return Ok(()) };
        let (fits, known) = match self.backend {
            Backend::Sim => (false, "backend `sim` has no `link`"),
            Backend::Qemu => (via != LinkVia::Rtt, "backend `qemu` has a link `via` uart0, uart1 or serial"),
            Backend::Probe => {
                let fits = matches!(via, LinkVia::Serial | LinkVia::Rtt);
                (fits, "backend `probe` has a link `via` serial or rtt")
            }
        };
        if fits { Ok(()) } else { Err(known.to_owned()) }
    }

    /// Parses a board file's text; the error says where and what.
    pub fn parse(id: &str, text: &str) -> Result<Self, String> {
        let board: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        if board.schema != 1 {
            return Err(format!(
                "schema {} is not known to this version, which reads schema 1",
                board.schema
            ));
        }
        if board.backend == Backend::Qemu && (board.qemu.is_none() || board.firmware.is_none()) {
            return Err("backend `qemu` needs the sections `qemu` and `firmware`".to_owned());
        }
        if board.backend == Backend::Probe && (board.probe.is_none() || board.firmware.is_none()) {
            return Err("backend `probe` needs the sections `probe` and `firmware`".to_owned());
        }
        if let Some(probe) = &board.probe {
            probe.usb_ids()?;
        }
        board.check_firmware()?;
        board.check_link()?;
        Ok(Self { id: id.to_owned(), ..board })
    }

    /// The oldest QEMU that will do, where one is needed.
    pub fn min_qemu_version(&self) -> Option<&str> {
        let emulator = self.emulator.as_ref().map(|emulator| &emulator.min_version);
        let machine = emulator.or(self.qemu.as_ref().map(|qemu| &qemu.min_version));
        machine.map(String::as_str)
    }

    /// All boards of a folder, by id.
    pub fn list(folder: &Path) -> Result<Vec<Self>, BoardError> {
        let unreadable = |error| BoardError::Unreadable { path: folder.to_owned(), error };
        let mut boards = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                boards.push(Self::read(&path)?);
            }
        }
        boards.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(boards)
    }

    /// The board with this id.
    pub fn find(folder: &Path, id: &str) -> Result<Self, BoardError> {
        let boards = Self::list(folder)?;
        if let Some(board) = boards.iter().find(|board| board.id == id) {
            return Ok(board.clone());
        }
        let known = boards.iter().map(|board| board.id.as_str()).collect::<Vec<_>>();
        let near = known.iter().find(|other| other.contains(id) || id.contains(**other));
        Err(BoardError::Unknown {
            id: id.to_owned(),
            folder: folder.to_owned(),
            known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            hint: near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
