//! What is found out about a device that can no longer be used: of what it died, where its processor stood, what it
//! said and was told last. The types, the rules of the verdict and the text; who looks at a device is its backend.
//!
//! Nothing here touches a device, and no finding changes a trial's verdict: that stays `infra`.

mod by_words;
mod fault_status;
mod given;
mod text;
mod verdict;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::DeviceFault;

pub(crate) use by_words::by_words;
pub use fault_status::FaultStatus;
pub use given::Given;
pub(crate) use given::LastGiven;
pub use verdict::{AutopsyVerdict, Heartbeat, Signs};

/// What a firmware that gives up writes before its reason, and how the reason begins when a fault is meant.
pub(crate) const PANIC: &str = "PANIC: ";
pub(crate) const HARD_FAULT: &str = "hard fault";

/// A fault in words, without the end of the log that it may carry.
pub(crate) fn in_words(fault: &DeviceFault) -> String {
    match fault {
        DeviceFault::Silent { waited_for, limit, .. } => {
            let (waited_for, detail) = (waited_for.clone(), String::new());
            DeviceFault::Silent { waited_for, limit: *limit, detail }.to_string()
        }
        other => other.to_string(),
    }
}

/// A 32-bit word, written in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub u32);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is known of a device that can no longer be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Autopsy {
    /// Of what it died.
    pub verdict: AutopsyVerdict,
    /// How that showed, in the words of the fault that ended the run. What the firmware said is apart.
    pub fault: String,
    /// Id of the board.
    pub board: String,
    /// The debug probe, where there is one.
    pub probe: Option<String>,
    /// SHA-256 of the firmware's image.
    pub firmware_sha256: Option<String>,
    /// What the verdict rests on.
    pub signs: Signs,
    /// The processor, where somebody could look at it.
    pub processor: Option<Processor>,
    /// The calls that led to where it stood, innermost first.
    pub backtrace: Vec<StackFrame>,
    /// How the firmware's heartbeat went during the run.
    pub heartbeat: Vec<Beat>,
    /// The end of what the firmware said.
    pub last_lines: Vec<String>,
    /// What it was given last.
    pub last_stimulus: Option<Given>,
    /// What it was told to do last.
    pub last_command: Option<Given>,
    /// What could not be found out, and why.
    pub missing: Vec<String>,
    /// Registers and memory, in probe-rs's format of core dumps.
    #[serde(skip)]
    pub core_dump: Option<CoreDumpBytes>,
}

/// A core dump as its file holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct CoreDumpBytes(pub Vec<u8>);

impl fmt::Debug for CoreDumpBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A processor at the moment that it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// How it stood.
    pub state: ProcessorState,
    /// Its registers by name.
    pub registers: Vec<(String, Word)>,
    /// What it notes about faults.
    pub fault_status: FaultStatus,
    /// What it saved when it took the exception that it is in.
    pub exception: Option<ExceptionFrame>,
}

/// How a processor stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessorState {
    /// It ran, or slept.
    Running,
    /// The probe had caught it at the entry of its fault handler.
    CaughtAtFault,
    /// The probe had caught it before its first instruction after a reset.
    CaughtAtReset,
    /// Halted by something else.
    Halted,
    /// Locked up.
    LockedUp,
}

/// What a processor saves at the entry of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionFrame {
    /// Number of the exception; 3 is HardFault.
    pub exception: u32,
    /// Where the frame is.
    pub at: Word,
    /// r0 to r3.
    pub r0_r3: [Word; 4],
    /// r12.
    pub r12: Word,
    /// Link register.
    pub lr: Word,
    /// The instruction that was interrupted, or that failed.
    pub pc: Word,
    /// Program status.
    pub xpsr: Word,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackFrame {
    /// Where it was executing, or will go on after the call within.
    pub pc: Word,
    /// The function; its address where the image does not name it.
    pub function: String,
    /// The line of the source, where the image has lines.
    pub source: Option<SourceLine>,
    /// Compiled into the function around it.
    pub inlined: bool,
    /// How often the same call follows itself, beyond the first.
    pub repeated: u32,
    /// Whether it was found for certain, or is what the remains of the stack look like.
    pub guessed: bool,
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A time during which the heartbeat stood at one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Beat {
    /// Wall-clock time since the run began.
    pub from_ms: u64,
    /// Until when it was seen like this.
    pub to_ms: u64,
    /// The count.
    pub count: u32,
}
