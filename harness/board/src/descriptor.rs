//! Board files: `boards/<id>.yaml`. The existence of a file creates a board.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::Pace;
use crate::foreign::{AgentSpec, IdentitySpec};

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

/// How devices on a board come to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The agent inside this process, under virtual time, without TLS.
    Sim,
    /// Real firmware in QEMU under harness-granted time.
    Qemu,
    /// Real firmware on a board behind a debug probe: silicon, or an emulator that speaks like one.
    Probe,
}

/// What a board can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// It has an Ethernet interface.
    Ethernet,
    /// It has a UART for the link.
    Uart,
    /// Time passes as fast as the harness likes.
    VirtualTime,
    /// Its firmware speaks real TLS, so possession of keys is proven.
    Tls,
    /// The harness can write its firmware.
    Flash,
    /// The harness can reset it in the middle of a session.
    Reset,
    /// Logs, or the link, by Real-Time Transfer over the debug probe.
    Rtt,
    /// A crash leaves a core dump that opens offline.
    Coredump,
}

/// The firmware of a board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmwareSpec {
    /// Rust target triple.
    #[serde(default)]
    pub triple: String,
    /// Folder below firmware/targets, and name of the ELF.
    #[serde(default)]
    pub target: String,
    /// In place of both: an image that hilarm did not build, relative to the project.
    #[serde(default)]
    pub elf: Option<PathBuf>,
}

impl FirmwareSpec {
    /// Where the image is, below the folder that firmware is built in.
    pub fn image(&self, built: &Path) -> PathBuf {
        match &self.elf {
            Some(elf) => elf.clone(),
            None => built.join(&self.triple).join("release").join(&self.target),
        }
    }

    fn check(&self) -> Result<(), String> {
        match (&self.elf, self.triple.is_empty() || self.target.is_empty()) {
            (None, true) => Err("`firmware` needs `triple` and `target`, or `elf`".to_owned()),
            (Some(_), false) => Err("`firmware` has either `triple` and `target`, or `elf`".to_owned()),
            _ => Ok(()),
        }
    }
}

/// QEMU's part of a board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuSpec {
    /// `-machine`.
    pub machine: String,
    /// Oldest QEMU known to work, `major.minor`.
    pub min_version: String,
    /// Model of the network interface. Without one, frames and time go over the link.
    #[serde(default)]
    pub nic: Option<String>,
    /// Where the configuration blob is loaded, for firmware of hilarm's own.
    #[serde(default)]
    pub config_address: Option<u64>,
}

/// How the debug probe is found and driven.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// USB vendor id, four hexadecimal digits.
    #[serde(default)]
    pub vid: Option<String>,
    /// USB product id, four hexadecimal digits.
    #[serde(default)]
    pub pid: Option<String>,
    /// The wire protocol.
    #[serde(default)]
    pub protocol: WireProtocol,
    /// Clock of the wire.
    #[serde(default)]
    pub speed_khz: Option<u32>,
    /// Whether the reset line is held while attaching.
    #[serde(default)]
    pub connect_under_reset: bool,
    /// Where the configuration blob is written before the firmware runs.
    pub config_address: u64,
    /// What tells the chip from any other. Nothing is written to a chip that reads otherwise.
    #[serde(default)]
    pub chip_id: Vec<ChipRegister>,
}

impl ProbeSpec {
    /// USB vendor and product, where the board's file names them.
    pub fn usb_ids(&self) -> Result<(Option<u16>, Option<u16>), String> {
        let id = |text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let number = u16::from_str_radix(text, 16).ok().filter(|_| text.len() == 4);
            number
                .map(Some)
                .ok_or_else(|| format!("`{text}` is no USB id: write four hexadecimal digits, e.g. \"0483\""))
        };
        Ok((id(&self.vid)?, id(&self.pid)?))
    }
}

/// A register with a value that the board's chip is known by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipRegister {
    /// Its name, e.g. `DBGMCU_IDCODE`.
    pub name: String,
    /// Where it is; without an address it is the debug port's identification register.
    #[serde(default)]
    pub address: Option<u64>,
    /// What it reads.
    pub value: u32,
    /// The bits that count: revisions differ within one kind of chip.
    #[serde(default = "ChipRegister::every_bit")]
    pub mask: u32,
}

impl ChipRegister {
    fn every_bit() -> u32 {
        u32::MAX
    }
}

/// The wire between probe and chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireProtocol {
    /// Serial Wire Debug.
    #[default]
    Swd,
    /// JTAG.
    Jtag,
}

/// QEMU behind the probe bridge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatorSpec {
    /// `-machine`.
    pub machine: String,
    /// Oldest QEMU known to work, `major.minor`.
    pub min_version: String,
    /// Model of the network interface, where there is one.
    #[serde(default)]
    pub nic: Option<String>,
    /// The core's debug architecture.
    pub core: CoreArchitecture,
}

/// Debug architecture of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoreArchitecture {
    /// Cortex-M3, M4, M7.
    Armv7m,
    /// Cortex-M23, M33.
    Armv8m,
}

/// A way to reset a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetKind {
    /// By the core's own system reset request.
    Soft,
    /// By the reset line.
    Nreset,
    /// By the power hook of `boards.local.yaml`.
    Power,
}

/// What carries the link.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// A UART of the emulator, a serial port or RTT.
    pub via: LinkVia,
    /// Whether the serial port belongs to the same USB device as the probe.
    #[serde(default)]
    pub same_usb_as_probe: bool,
    /// Speed of a serial port.
    #[serde(default = "LinkSpec::default_baud")]
    pub baud: u32,
}

impl LinkSpec {
    fn default_baud() -> u32 {
        115_200
    }
}

/// The carrier of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkVia {
    /// The emulator's first UART.
    Uart0,
    /// The emulator's second UART.
    Uart1,
    /// A serial port that QEMU offers or `boards.local.yaml` names: of this machine, or of another one over TCP.
    Serial,
    /// Real-Time Transfer over the debug probe.
    Rtt,
}

/// Wall-clock limits, as whole seconds with unit: `5s`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From launch to the first sign of life.
    #[serde(deserialize_with = "seconds")]
    pub boot: Duration,
    /// From a stimulus to idle.
    #[serde(deserialize_with = "seconds")]
    pub step: Duration,
    /// What a scenario may live in real time, where the board has no virtual time; any length when absent.
    #[serde(deserialize_with = "some_seconds")]
    pub run: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { boot: Duration::from_secs(10), step: Duration::from_secs(10), run: None }
    }
}

fn some_seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    seconds(deserializer).map(Some)
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let whole = text.strip_suffix('s').and_then(|number| number.parse().ok()).filter(|secs| *secs > 0);
    whole.map(Duration::from_secs).ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is no wall-clock limit: write whole seconds, e.g. `5s`"))
    })
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
mod tests {
    use super::*;

    const QEMU: &str = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\n\
        firmware: { triple: thumbv7m-none-eabi, target: mps2-an385 }\n\
        qemu: { machine: mps2-an385, min_version: \"7.2\", nic: lan9118, config_address: 0x20300000 }\n";

    #[test]
    fn every_shipped_board_parses() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
        let ids: Vec<_> = Board::list(&folder).unwrap().into_iter().map(|board| board.id).collect();
        let known = ["qemu-mps2-an385", "qemu-mps2-an385-c", "sim"];
        assert!(known.iter().all(|id| ids.iter().any(|read| read == id)), "{ids:?}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = Board::parse("x", &format!("{QEMU}colour: red\n")).unwrap_err();
        assert!(error.contains("colour") && error.contains("line 7"), "{error}");
    }

    #[test]
    fn a_limit_without_unit_teaches_the_form() {
        let error = Board::parse("x", &format!("{QEMU}timeouts: {{ boot: \"5\" }}\n")).unwrap_err();
        assert!(error.contains("e.g. `5s`"), "{error}");
    }

    #[test]
    fn an_image_of_somebody_elses_needs_an_identity_and_no_target() {
        let board = |firmware: &str, rest: &str| {
            let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\n\
                qemu: { machine: mps2-an385, min_version: \"7.2\", nic: lan9118 }\n";
            Board::parse("x", &format!("{text}firmware: {{ {firmware} }}\n{rest}"))
        };
        let symbol = "identity: { symbol: who_i_am }\n";
        assert!(board("elf: build/pump.elf", symbol).is_ok());
        assert!(board("elf: build/pump.elf", "").unwrap_err().contains("`identity`"));
        assert!(board("elf: x, triple: a, target: b", symbol).unwrap_err().contains("either"));
        assert!(board("target: b", symbol).unwrap_err().contains("or `elf`"));
        let both = "identity: { symbol: a, address: 1 }\n";
        assert!(board("elf: x", both).unwrap_err().contains("one of"));
        let keyless = "identity: { provisioned: { device_id: pump-1 } }\n";
        assert!(board("elf: x", keyless).unwrap_err().contains("either `key` or `certificate`"));
    }

    #[test]
    fn paths_of_a_board_file_are_below_the_project() {
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir(project.path().join("boards")).unwrap();
        let path = project.path().join("boards/pump.yaml");
        let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: []\nfirmware: { elf: build/pump.elf }\n\
            qemu: { machine: x, min_version: \"7.2\" }\nidentity: { address: 0x100, ca: my/ca }\n";
        std::fs::write(&path, text).unwrap();
        let board = Board::read(&path).unwrap();
        assert_eq!(board.firmware.unwrap().elf, Some(project.path().join("build/pump.elf")));
        assert_eq!(board.identity.unwrap().ca, Some(project.path().join("my/ca")));
    }

    #[test]
    fn a_qemu_board_without_firmware_is_refused() {
        let error = Board::parse("x", "schema: 1\nname: x\nbackend: qemu\ncapabilities: []\n").unwrap_err();
        assert!(error.contains("firmware"), "{error}");
    }

    #[test]
    fn a_probe_board_reads_as_designed_and_needs_its_section() {
        let text = "schema: 1\nname: x\nbackend: probe\ncapabilities: [uart, flash, reset, rtt, coredump]\n\
            firmware: { triple: thumbv7em-none-eabihf, target: nucleo-f429zi }\nreset: [soft, nreset, power]\n\
            link: { via: serial, same_usb_as_probe: true }\n";
        let error = Board::parse("x", text).unwrap_err();
        assert!(error.contains("`probe`"), "{error}");
        let probe = "probe: { vid: \"0483\", pid: \"374b\", speed_khz: 4000, config_address: 0x20020000 }\n";
        let ignored = format!("{text}{probe}identity: {{ symbol: who_i_am }}\n");
        assert!(Board::parse("x", &ignored).unwrap_err().contains("`probe.config_address`"));
        let board = Board::parse("x", &format!("{text}{probe}")).unwrap();
        assert_eq!(board.reset, [ResetKind::Soft, ResetKind::Nreset, ResetKind::Power]);
        let probe = board.probe.unwrap();
        assert_eq!(probe.protocol, WireProtocol::Swd);
        assert_eq!(probe.usb_ids(), Ok((Some(0x0483), Some(0x374b))));
        let wrong = format!("{text}probe: {{ vid: \"483\", config_address: 0 }}\n");
        assert!(Board::parse("x", &wrong).unwrap_err().contains("four hexadecimal digits"));
    }

    #[test]
    fn a_link_that_the_backend_cannot_carry_is_refused() {
        let error = |via: &str| Board::parse("x", &format!("{QEMU}link: {{ via: {via} }}\n")).unwrap_err();
        assert!(error("rtt").contains("backend `qemu` has a link `via` uart0, uart1 or serial"));
        assert!(error("tcp").contains("unknown variant"), "{}", error("tcp"));
        let probe = "schema: 1\nname: x\nbackend: probe\ncapabilities: []\nprobe: { config_address: 0 }\n\
            firmware: { triple: a, target: b }\n";
        let parse = |via: &str| Board::parse("x", &format!("{probe}link: {{ via: {via} }}\n"));
        assert_eq!(parse("rtt").unwrap().pace(), Pace::Real, "it does not say `virtual-time`");
        assert!(parse("uart1").unwrap_err().contains("via` serial or rtt"));
    }

    #[test]
    fn a_missing_board_lists_what_there_is() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
        let error = Board::find(&folder, "mps2").unwrap_err().to_string();
        assert!(error.contains("did you mean `qemu-mps2-an385`?"), "{error}");
    }
}
