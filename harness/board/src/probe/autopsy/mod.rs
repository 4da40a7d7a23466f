//! The autopsy of a device behind a debug probe: its processor is halted and looked at, its stack unwound, and the
//! verdict drawn by the rules of [`crate::autopsy`]. Every request of the probe is bounded; what fails is noted as
//! missing, and the rest is told all the same.

mod image;
mod pulse;
mod registers;
mod signs;
mod snapshot;
mod unwind;

use std::collections::BTreeMap;
use std::time::Duration;

use probe_rs::{CoreDump, MemoryInterface};

use self::image::{DebugImage, Place};
use self::registers::{named, registers};
use self::signs::signs;
use self::snapshot::{Plan, Snapshot};
use self::unwind::{Call, Unwound, unwind};
use super::{ProbeError, Station};
use crate::autopsy::{LastGiven, in_words};
use crate::{
    Autopsy, AutopsyVerdict, CoreDumpBytes, DeviceFault, Heartbeat, Processor, ProcessorState, StackFrame,
    Word,
};

/// For halting, reading and giving the program one more chance.
const LIMIT: Duration = Duration::from_secs(10);
const LAST_LINES: usize = 32;
const FRAMES_MAX: usize = 64;
/// A stack that is deeper is unwound this far only. Only one that has overflowed is so large.
const STACK_BYTES_MAX: u64 = 1024 * 1024;
/// Named variables beyond this are left out: some firmware has megabytes of buffers.
const VARIABLES_BYTES_MAX: u64 = 256 * 1024;

/// What was going on when the device could no longer be used.
pub(super) struct Scene {
    pub(super) fault: DeviceFault,
    pub(super) given: LastGiven,
}

/// Looks at the device on this board, whose wires `nudge` can have carry something that means nothing; it tells whether
/// they did. The processor is halted afterwards.
pub(super) fn examine(station: &Station, scene: Scene, nudge: impl FnOnce() -> bool) -> Autopsy {
    const DOING: &str = "looking at the processor";
    let mut missing = Vec::new();
    let bytes = image_bytes(station, &mut missing);
    let image = DebugImage::parse(&bytes);
    let plan = plan(image.as_ref());
    let taken = station.session().ask(DOING, LIMIT, move |held| snapshot::take(held, &plan));
    let failure = match (&scene.fault, &taken) {
        (DeviceFault::Probe { error }, _) => Some(error.clone()),
        (_, Err(error)) => Some(error.to_string()),
        (_, Ok(_)) => None,
    };
    let taken = taken.map_err(|error| missing.push(format!("the processor: {error}"))).ok();
    let last_lines = station.last_words(LAST_LINES);
    let mut signs = signs(&scene.fault, failure, taken.as_ref(), &last_lines);
    let runs = taken.as_ref().is_some_and(|taken| taken.state == ProcessorState::Running);
    // Nobody need ask a firmware that has given the reason itself.
    if runs && matches!(signs.verdict(), AutopsyVerdict::Hang | AutopsyVerdict::LinkLost) {
        signs.heartbeat = pulse(station, nudge).unwrap_or_else(|error| {
            missing.push(format!("whether the firmware still turns: {error}"));
            Heartbeat::Unknown
        });
    }
    let mut autopsy = Autopsy {
        verdict: signs.verdict(),
        fault: in_words(&scene.fault),
        board: station.board().to_owned(),
        probe: Some(station.session().probe().to_owned()),
        firmware_sha256: Some(station.image().sha256().to_owned()),
        signs,
        processor: None,
        backtrace: Vec::new(),
        heartbeat: station.vitals().beats(),
        last_lines,
        last_stimulus: scene.given.stimulus,
        last_command: scene.given.command,
        missing,
        core_dump: None,
    };
    if let Some(taken) = taken {
        add_processor(&mut autopsy, taken, image.as_ref());
    }
    autopsy
}

/// What the processor's copy tells: everything from here on could be done anywhere.
fn add_processor(autopsy: &mut Autopsy, mut taken: Snapshot, image: Option<&DebugImage<'_>>) {
    autopsy.missing.append(&mut taken.missing);
    let unwound = image.map(|image| unwound(image, &taken)).unwrap_or_default();
    autopsy.backtrace = image.map(|image| frames(image, &unwound.calls)).unwrap_or_default();
    autopsy.core_dump = packed(&taken.dump, &mut autopsy.missing);
    autopsy.processor = Some(Processor {
        state: taken.state,
        registers: named(&taken.dump),
        fault_status: taken.status,
        exception: unwound.exception,
    });
}

/// The image's file, if it is still the one in the chip.
fn image_bytes(station: &Station, missing: &mut Vec<String>) -> Vec<u8> {
    let image = station.image();
    match std::fs::read(image.path()) {
        Ok(bytes) if image.is_unchanged() => return bytes,
        Ok(_) => {
            missing.push("names and lines: the firmware's file is no longer the one in the chip".to_owned())
        }
        Err(error) => missing.push(format!("names and lines: {}: {error}", image.path().display())),
    }
    Vec::new()
}

fn plan(image: Option<&DebugImage<'_>>) -> Plan {
    let mut left = VARIABLES_BYTES_MAX;
    let mut memory = image.map(|image| image.variables().to_vec()).unwrap_or_default();
    for range in &mut memory {
        range.end = range.end.min(range.start.saturating_add(left));
        left -= range.end - range.start;
    }
    Plan { memory, stack_bytes_max: STACK_BYTES_MAX }
}

fn pulse(station: &Station, nudge: impl FnOnce() -> bool) -> Result<Heartbeat, ProbeError> {
    const DOING: &str = "asking the firmware for a heartbeat";
    let Some(address) = station.heartbeat_address() else { return Ok(Heartbeat::Unknown) };
    let asked = station.session().ask(DOING, LIMIT, move |held| pulse::ask(held, address))?;
    let nudged = nudge();
    station.session().ask(DOING, LIMIT, move |held| pulse::answer(held, asked, nudged))
}

fn unwound(image: &DebugImage<'_>, taken: &Snapshot) -> Unwound {
    // Before its first instruction a processor has called nobody.
    if taken.state == ProcessorState::CaughtAtReset {
        return Unwound::default();
    }
    let mut dump = taken.dump.clone();
    let dump = std::cell::RefCell::new(&mut dump);
    let memory = |address: u32| dump.borrow_mut().read_word_32(u64::from(address)).ok();
    unwind(image, registers(&taken.dump), taken.status.has_lost_its_frame(), &memory)
}

/// The calls with their names, the innermost first; those of a recursion as one.
fn frames(image: &DebugImage<'_>, calls: &[Call]) -> Vec<StackFrame> {
    let mut frames: Vec<StackFrame> = Vec::new();
    let mut places = BTreeMap::new();
    for call in calls {
        let here: &Vec<Place> = places.entry(call.lookup()).or_insert_with(|| image.places(call.lookup()));
        for place in here.clone() {
            let frame = StackFrame {
                pc: Word(call.pc),
                function: place.function,
                source: place.source,
                inlined: place.inlined,
                repeated: 0,
                guessed: call.guessed,
            };
            let full = frames.len() >= FRAMES_MAX;
            match frames.last_mut() {
                Some(last) if last.function == frame.function && last.source == frame.source => {
                    last.repeated += 1;
                }
                _ if full => return frames,
                _ => frames.push(frame),
            }
        }
    }
    frames
}

/// The dump as probe-rs stores it: its format is its own, so it writes it.
fn packed(dump: &CoreDump, missing: &mut Vec<String>) -> Option<CoreDumpBytes> {
    let written = tempfile::tempdir().map_err(|error| error.to_string()).and_then(|folder| {
        let path = folder.path().join("core.dump");
        dump.store(&path).map_err(|error| error.to_string())?;
        std::fs::read(&path).map(CoreDumpBytes).map_err(|error| error.to_string())
    });
    written.map_err(|error| missing.push(format!("the core dump: {error}"))).ok()
}
