//! The sections of a board file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

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

    pub(super) fn check(&self) -> Result<(), String> {
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
