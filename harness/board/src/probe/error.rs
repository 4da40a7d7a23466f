//! Why a debug probe, or the chip behind it, did not do what was asked.

use std::time::Duration;

use super::identity::Candidate;
use crate::{Autopsy, DeviceFault};

/// Why a debug probe, or the chip behind it, did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The board's file leaves something out.
    #[error("board {board} has no `{missing}`")]
    Incomplete {
        /// The board.
        board: String,
        /// What is missing.
        missing: &'static str,
    },
    /// No probe fits.
    #[error("no debug probe {wanted} is plugged in; {}", found(.candidates))]
    NoProbe {
        /// What was looked for.
        wanted: String,
        /// What is plugged in.
        candidates: Vec<Candidate>,
    },
    /// More than one probe fits: nothing is written to a board that was only guessed.
    #[error("more than one debug probe {wanted}; name one in boards.local.yaml: {}", list(.candidates))]
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// What fits.
        candidates: Vec<Candidate>,
    },
    /// A scenario has more devices than there are boards.
    #[error("{needed} boards {board} are needed at once; boards.local.yaml and this desk have {there}")]
    TooFew {
        /// The board.
        board: String,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        there: usize,
    },
    /// The probe may not be opened by this user.
    #[error(
        "no permission to open the debug probe {probe}; add a udev rule, for example {UDEV_FILE}: {}, then plug it \
         in again",
        udev_rule(*vid, Some(*pid))
    )]
    NoPermission {
        /// The probe.
        probe: String,
        /// Its vendor.
        vid: u16,
        /// Its product.
        pid: u16,
    },
    /// The probe did not open, or no chip answered it.
    #[error("the debug probe {probe} found no chip: {error}")]
    Attach {
        /// The probe.
        probe: String,
        /// The probe's words.
        error: String,
    },
    /// probe-rs knows no chip of this name.
    #[error("no description of the chip `{chip}` in this build{hint}")]
    UnknownChip {
        /// The chip.
        chip: String,
        /// What may help: empty, or beginning with a semicolon.
        hint: &'static str,
    },
    /// Another chip than the board's file says. Nothing was written to it.
    #[error("the wrong chip is behind {probe}: {register} reads {found:#010x}, {chip} has {expected:#010x}")]
    WrongChip {
        /// The probe.
        probe: String,
        /// The board's chip.
        chip: String,
        /// What was read.
        register: String,
        /// Its value, masked.
        found: u32,
        /// What it should be, masked.
        expected: u32,
    },
    /// The chip refuses to be written.
    #[error("the flash of {chip} is protected: {error}")]
    Protected {
        /// The chip.
        chip: String,
        /// The probe's words.
        error: String,
    },
    /// The image did not arrive in the chip.
    #[error("failed to flash {chip}: {error}")]
    Flash {
        /// The chip.
        chip: String,
        /// The probe's words.
        error: String,
    },
    /// The image is no image, or not one for this chip.
    #[error("{image} cannot be flashed: {error}")]
    Image {
        /// The file.
        image: String,
        /// What is wrong with it.
        error: String,
    },
    /// A request failed.
    #[error("{doing}: {error}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The probe's words.
        error: String,
    },
    /// A request was not answered in time.
    #[error("waited {limit:?} for the debug probe while {doing}")]
    Silent {
        /// What was being done.
        doing: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The probe is unplugged, or its bridge ended.
    #[error("the debug probe is gone while {doing}: {error}")]
    Gone {
        /// What was being done.
        doing: &'static str,
        /// How that showed.
        error: String,
    },
    /// No way to reset the board worked.
    #[error("the board did not reset: {}", .tried.join("; "))]
    NotReset {
        /// Each way with why it failed.
        tried: Vec<String>,
    },
    /// The emulator behind the bridge did not start.
    #[error("the emulated board did not start: {0}")]
    Emulator(String),
    /// The board was flashed, and its firmware did not come up.
    #[error("the firmware did not come up: {}", .autopsy.summary())]
    Boot {
        /// How that showed.
        fault: Box<DeviceFault>,
        /// What was found out about it.
        autopsy: Box<Autopsy>,
    },
}

impl ProbeError {
    /// The same as what befell a device in the middle of a run.
    pub fn into_fault(self) -> DeviceFault {
        match self {
            Self::Boot { fault, .. } => *fault,
            other => DeviceFault::Probe { error: other.to_string() },
        }
    }
}

/// Where a rule of ours would go: before 73-seat-late.rules, which carries `uaccess` out.
pub(super) const UDEV_FILE: &str = "/etc/udev/rules.d/69-hilarm.rules";

/// The rule by which whoever sits at the machine may open a probe.
pub(super) fn udev_rule(vid: u16, pid: Option<u16>) -> String {
    let product = pid.map(|pid| format!(" ATTRS{{idProduct}}==\"{pid:04x}\",")).unwrap_or_default();
    format!("SUBSYSTEM==\"usb\", ATTRS{{idVendor}}==\"{vid:04x}\",{product} MODE=\"0660\", TAG+=\"uaccess\"")
}

fn found(candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        "there is none at all".to_owned()
    } else {
        format!("there is {}", list(candidates))
    }
}

fn list(candidates: &[Candidate]) -> String {
    candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// An error of probe-rs with all that caused it: its own words alone often say only that something failed.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{}: {more}", text.trim_end_matches('.'));
        }
        cause = next.source();
    }
    text
}
