//! Whether a program that says nothing still turns: it is let go once more with an interrupt raised, which wakes one
//! that merely sleeps, and its heartbeat is watched. An interrupt that nobody expected does no harm to a run that is
//! over. A main loop sleeps with interrupts masked too, so how a processor stands does not tell.

use std::thread;
use std::time::{Duration, Instant};

use probe_rs::{Core, CoreType, MemoryInterface};

use super::super::ProbeError;
use super::super::reset::HALT_LIMIT;
use super::super::session::Held;
use super::super::station::failed;
use super::super::vitals::is_cortex_m;
use crate::Heartbeat;

const DOING: &str = "asking the firmware for a heartbeat";
/// How long a program is given to answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(250);
const ANSWER_POLL: Duration = Duration::from_millis(10);

/// Interrupts that are enabled, and where one is raised: ARMv7-M B3.4.
const NVIC_ISER: u64 = 0xE000_E100;
const NVIC_ISPR: u64 = 0xE000_E200;
const NVIC_WORDS: u64 = 8;

/// A program that has been let go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    heartbeat: u64,
    before: u32,
    /// Whether anything was raised.
    raised: bool,
}

/// Lets the halted program go, with an interrupt where the processor takes one. An emulated one that sleeps takes none
/// from its debugger: whoever has its wires may nudge it.
pub(super) fn ask(held: &mut Held, heartbeat: u64) -> Result<Asked, ProbeError> {
    let mut core = held.session.core(0).map_err(|error| failed(DOING, &error))?;
    let before = core.read_word_32(heartbeat).map_err(|error| failed(DOING, &error))?;
    let raised = is_cortex_m(&core) && raise_an_interrupt(&mut core).unwrap_or_default();
    core.run().map_err(|error| failed(DOING, &error))?;
    Ok(Asked { heartbeat, before, raised })
}

/// Raises the first interrupt that the firmware has enabled; false when there is none.
fn raise_an_interrupt(core: &mut Core<'_>) -> Result<bool, probe_rs::Error> {
    let words = if core.core_type() == CoreType::Armv6m { 1 } else { NVIC_WORDS };
    for word in 0..words {
        let enabled = core.read_word_32(NVIC_ISER + 4 * word)?;
        if enabled != 0 {
            core.write_word_32(NVIC_ISPR + 4 * word, enabled & enabled.wrapping_neg())?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Watches for the answer, and halts the program again. `nudged`: the wires carried something to it meanwhile.
pub(super) fn answer(held: &mut Held, asked: Asked, nudged: bool) -> Result<Heartbeat, ProbeError> {
    let mut core = held.session.core(0).map_err(|error| failed(DOING, &error))?;
    let moved = moves(&mut core, asked).map_err(|error| failed(DOING, &error))?;
    core.halt(HALT_LIMIT).map_err(|error| failed(DOING, &error))?;
    Ok(match (moved, asked.raised || nudged) {
        (true, _) => Heartbeat::Moves,
        (false, true) => Heartbeat::Stands,
        // It may sleep, and rightly.
        (false, false) => Heartbeat::Unknown,
    })
}

fn moves(core: &mut Core<'_>, asked: Asked) -> Result<bool, probe_rs::Error> {
    let give_up = Instant::now() + ANSWER_LIMIT;
    loop {
        if core.read_word_32(asked.heartbeat)? != asked.before {
            return Ok(true);
        }
        if Instant::now() >= give_up {
            return Ok(false);
        }
        thread::sleep(ANSWER_POLL);
    }
}
