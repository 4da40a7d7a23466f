//! What every backend looks like to the runner.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hilarm_link::{Command, FromDevice};
use hilarm_model::{Monotonic, Now};
use hilarm_network::{LinkInput, LinkOutput};

use crate::Autopsy;

/// One thing that happens to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// Time has passed (or the calendar has moved), nothing else.
    Tick,
    /// The network hands something over.
    Link(LinkOutput),
    /// The harness asks for something.
    Command {
        /// Comes back in the response.
        id: u32,
        /// What it asks.
        command: Command,
    },
}

/// One thing that a device did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceOutput {
    /// It handed something to the network.
    Link(LinkInput),
    /// It told the harness something: a response, a log line, an event.
    Report(FromDevice),
}

/// Why a device can no longer be used. The run ends with verdict `infra`, never with a pass or a fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFault {
    /// The process that holds the device ended.
    #[error("{what} ended in the middle of the run ({status}){detail}")]
    Exited {
        /// Which process.
        what: &'static str,
        /// How it ended.
        status: String,
        /// The end of its error output, if it wrote any.
        detail: String,
    },
    /// No answer within the wall-clock limit.
    #[error("waited {limit:?} for {waited_for}: the firmware hangs or is stuck in a loop{detail}")]
    Silent {
        /// What was awaited.
        waited_for: String,
        /// The limit.
        limit: Duration,
        /// The end of the device's console, if it wrote any.
        detail: String,
    },
    /// QEMU runs and does nothing.
    #[error("QEMU did not open the link within {limit:?}{detail}")]
    LinkNotOpened {
        /// The limit.
        limit: Duration,
        /// The end of QEMU's error output, if it wrote any.
        detail: String,
    },
    /// The firmware panicked.
    #[error("the firmware panicked: {message}")]
    Panicked {
        /// Its own words.
        message: String,
    },
    /// The firmware came up a second time.
    #[error("the firmware rebooted in the middle of the run (boot nonce {first:016x}, then {second:016x})")]
    Rebooted {
        /// Nonce of the first boot.
        first: u64,
        /// Nonce of the second.
        second: u64,
    },
    /// What carries the link broke: unplugged, closed, or gone with the machine that offered it.
    #[error("the link to the device broke while {doing}: {error}")]
    LinkLost {
        /// What was being done.
        doing: &'static str,
        /// What broke, and how that showed.
        error: String,
    },
    /// The debug probe that holds the device is gone, or did not do what was asked.
    #[error("probe-error: {error}")]
    Probe {
        /// What happened, and what was waited for.
        error: String,
    },
    /// The debug probe sees that the processor runs the program no longer.
    #[error("the processor {0}")]
    Processor(ProcessorEnd),
    /// A line talks, and nothing on it is our firmware's.
    #[error(
        "waited {limit:?} for the firmware to boot: {bytes} bytes came that are no frames of the link, beginning \
         `{sample}`; another speed, or a firmware without this link?"
    )]
    Garbage {
        /// The limit.
        limit: Duration,
        /// How many.
        bytes: usize,
        /// The first of them, escaped.
        sample: String,
    },
    /// Bytes on the link were no frames.
    #[error("the link to the firmware is damaged: {0}")]
    Link(hilarm_link::FrameError),
    /// The device's network interface lost frames, so granted time can no longer be trusted.
    #[error("the device's network interface dropped {0} frames")]
    FramesDropped(u32),
    /// The operating system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        error: String,
    },
}

/// How a processor came to run its program no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessorEnd {
    /// It took a fault that nobody handled.
    Fault,
    /// It was reset.
    Reset,
    /// A fault within the handling of a fault.
    LockedUp,
    /// It stands at a breakpoint instruction, or somebody else halted it.
    Halted,
}

impl fmt::Display for ProcessorEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault => "took a fault that nobody handles",
            Self::Reset => "was reset in the middle of the run",
            Self::LockedUp => "locked up: a fault within the handling of a fault",
            Self::Halted => "halted in the middle of the run, at a breakpoint or by another debugger",
        })
    }
}

/// Whose time a device lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The harness grants it: as fast as the machine can, the same in every run.
    Granted,
    /// Its own: the world waits for it in real time. Only the calendar is the harness's.
    Real,
}

/// What devices with a [`Pace::Real`] ring when they have done something, so that nobody has to look.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<(Mutex<bool>, Condvar)>);

impl Doorbell {
    /// Says that output waits.
    pub fn ring(&self) {
        let (rung, waiting) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        waiting.notify_all();
    }

    /// Waits until somebody rings, or `limit` has passed; tells whether it rang.
    pub fn wait(&self, limit: Duration) -> bool {
        let (rung, waiting) = &*self.0;
        let rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = waiting.wait_timeout_while(rung, limit, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

/// A device under test, one stimulus at a time.
///
/// With a [`Pace::Granted`] each call to [`step`](Self::step) returns only when the device is idle again, so
/// it never acts between two calls and the order of everything is the runner's. With a [`Pace::Real`] a call
/// returns at once with what the device has done by then; what it does later rings the [`Doorbell`] and comes
/// with the next call.
pub trait Device: Send {
    /// Gives the device one stimulus at `now` and collects all that it does until it is idle again.
    /// Time never goes back between two calls; the calendar may jump.
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault>;

    /// When the device next wants to run by itself; nothing where time is its own.
    fn deadline(&self) -> Option<Monotonic>;

    /// What can be found out about a device that can no longer be used, once [`step`](Self::step) has failed. Bounded;
    /// the board is as good as before afterwards, or is not used again.
    fn autopsy(&mut self) -> Option<Autopsy> {
        None
    }

    /// Whose time it lives in.
    fn pace(&self) -> Pace {
        Pace::Granted
    }

    /// Hands over what to ring from now on; only a device with a [`Pace::Real`] has a use for it.
    fn listen(&mut self, _bell: &Doorbell) {}
}
