//! The autopsy of a device behind a debug probe: its processor is halted and looked at, its stack unwound, and the
//! verdict drawn by the rules of [`crate::autopsy`]. Every request of the probe is bounded; what fails is noted as
//! missing, and the rest is told all the same.

mod image;
mod pulse;
mod snapshot;
mod unwind;

use std::collections::BTreeMap;
use std::time::Duration;

use probe_rs::{CoreDump, MemoryInterface, RegisterId, RegisterValue};

use self::image::{DebugImage, Place};
use self::snapshot::{Plan, Snapshot};
use self::unwind::{Call, Registers, Unwound, unwind};
use super::{ProbeError, Station};
use crate::autopsy::{HARD_FAULT, LastGiven, PANIC, in_words};
use crate::{
    Autopsy, AutopsyVerdict, CoreDumpBytes, DeviceFault, Heartbeat, Processor, ProcessorEnd, ProcessorState,
    Signs, StackFrame, Word,
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
    let mut missing = Vec::new();
    let bytes = image_bytes(station, &mut missing);
    let image = DebugImage::parse(&bytes);
    let plan = plan(image.as_ref());
    let taken =
        station.session().ask("looking at the processor", LIMIT, move |held| snapshot::take(held, &plan));
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
    let (mut processor, mut backtrace, mut core_dump) = (None, Vec::new(), None);
    if let Some(mut taken) = taken {
        missing.append(&mut taken.missing);
        let unwound = image.as_ref().map(|image| unwound(image, &taken)).unwrap_or_default();
        if let Some(image) = &image {
            backtrace = frames(image, &unwound.calls);
        }
        core_dump = packed(&taken.dump, &mut missing);
        processor = Some(look_of(&taken, &unwound));
    }
    Autopsy {
        verdict: signs.verdict(),
        fault: in_words(&scene.fault),
        board: station.board().to_owned(),
        probe: Some(station.session().probe().to_owned()),
        firmware_sha256: Some(station.image().sha256().to_owned()),
        signs,
        processor,
        backtrace,
        heartbeat: station.vitals().beats(),
        last_lines,
        last_stimulus: scene.given.stimulus,
        last_command: scene.given.command,
        missing,
        core_dump,
    }
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

fn signs(
    fault: &DeviceFault,
    probe_failure: Option<String>,
    taken: Option<&Snapshot>,
    last_lines: &[String],
) -> Signs {
    let state = taken.map(|taken| taken.state);
    let said = last_lines.iter().rev().find_map(|line| line.split_once(PANIC));
    let said = said.map(|(_, message)| message.to_owned()).or_else(|| match fault {
        DeviceFault::Panicked { message } => Some(message.clone()),
        _ => None,
    });
    let (faulted, panic) = match said {
        Some(message) if message.starts_with(HARD_FAULT) => (true, None),
        said => (false, said),
    };
    let registers = taken.map(|taken| registers(&taken.dump));
    let in_fault_handler = registers.is_some_and(|registers| (3..=7).contains(&(registers.xpsr & 0x1FF)));
    let reset = matches!(fault, DeviceFault::Rebooted { .. } | DeviceFault::Processor(ProcessorEnd::Reset));
    Signs {
        probe_failure,
        locked_up: state == Some(ProcessorState::LockedUp),
        panic,
        // A breakpoint instruction is a fault wherever nobody debugs.
        faulted: faulted
            || in_fault_handler
            || matches!(state, Some(ProcessorState::CaughtAtFault | ProcessorState::Halted)),
        rebooted: reset || state == Some(ProcessorState::CaughtAtReset),
        interrupts_masked: taken.is_some_and(|taken| masks(&taken.dump) != 0),
        ..Signs::default()
    }
}

/// Numbers by which debug hardware knows registers: ARMv7-M C1.6.3.
const XPSR: u16 = 16;
const MSP: u16 = 17;
const PSP: u16 = 18;
/// CONTROL, FAULTMASK, BASEPRI and PRIMASK, from the highest byte on.
const EXTRA: u16 = 20;

fn register(dump: &CoreDump, number: u16) -> u32 {
    match dump.registers.get(&RegisterId(number)) {
        Some(RegisterValue::U32(value)) => *value,
        _ => 0,
    }
}

/// PRIMASK and FAULTMASK.
fn masks(dump: &CoreDump) -> u32 {
    register(dump, EXTRA) & 0x00FF_00FF
}

fn registers(dump: &CoreDump) -> Registers {
    let mut r = [0; 16];
    for (number, value) in (0..).zip(&mut r) {
        *value = register(dump, number);
    }
    Registers { r, psp: register(dump, PSP), xpsr: register(dump, XPSR) }
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

fn look_of(taken: &Snapshot, unwound: &Unwound) -> Processor {
    let mut named: Vec<(String, Word)> = Vec::new();
    for number in 0..13 {
        named.push((format!("r{number}"), Word(register(&taken.dump, number))));
    }
    for (name, number) in [("sp", 13), ("lr", 14), ("pc", 15), ("xpsr", XPSR), ("msp", MSP), ("psp", PSP)] {
        named.push((name.to_owned(), Word(register(&taken.dump, number))));
    }
    let extra = register(&taken.dump, EXTRA).to_be_bytes();
    for (name, value) in ["control", "faultmask", "basepri", "primask"].into_iter().zip(extra) {
        named.push((name.to_owned(), Word(u32::from(value))));
    }
    Processor {
        state: taken.state,
        registers: named,
        fault_status: taken.status,
        exception: unwound.exception,
    }
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
