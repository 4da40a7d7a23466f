//! What the probe's thread takes from a processor that is given up: how it stands, its registers and memory. All at
//! once; the processor is halted afterwards.

use std::cmp::Ordering;
use std::ops::Range;

use probe_rs::{Core, CoreDump, CoreType, MemoryInterface, RegisterId};

use super::super::ProbeError;
use super::super::reset::HALT_LIMIT;
use super::super::session::Held;
use super::super::station::failed;
use super::super::vitals::{DFSR, Vitals, how_it_ended, is_cortex_m};
use super::registers::{MSP, PSP};
use crate::{FaultStatus, ProcessorEnd, ProcessorState, Word};

const DOING: &str = "looking at the processor";

/// Vector Table Offset Register.
const VTOR: u64 = 0xE000_ED08;
/// Enough for the calls of a thread that does not recurse.
const THREAD_STACK_BYTES_MAX: u64 = 16 * 1024;

/// Configurable Fault Status Register and its neighbours: ARMv7-M B3.2.
const CFSR: u64 = 0xE000_ED28;
const HFSR: u64 = 0xE000_ED2C;
const MMFAR: u64 = 0xE000_ED34;
const BFAR: u64 = 0xE000_ED38;

/// What to take.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Memory that has a name.
    pub(super) memory: Vec<Range<u64>>,
    /// How much of the main stack.
    pub(super) stack_bytes_max: u64,
}

/// What was taken.
pub(super) struct Snapshot {
    pub(super) state: ProcessorState,
    pub(super) status: FaultStatus,
    pub(super) dump: CoreDump,
    pub(super) missing: Vec<String>,
}

/// Takes it. What the firmware's rings still hold is read first.
pub(super) fn take(held: &mut Held, plan: &Plan) -> Result<Snapshot, ProbeError> {
    held.rtt.carry_all(&mut held.session);
    held.vitals = Vitals::default();
    let regions: Vec<Range<u64>> = held
        .session
        .target()
        .memory_map
        .iter()
        .filter_map(|region| region.as_ram_region().map(|ram| ram.range.clone()))
        .collect();
    let mut core = held.session.core(0).map_err(|error| failed(DOING, &error))?;
    look(&mut core, plan, &regions).map_err(|error| failed(DOING, &error))
}

fn look(core: &mut Core<'_>, plan: &Plan, regions: &[Range<u64>]) -> Result<Snapshot, probe_rs::Error> {
    let cortex_m = is_cortex_m(core);
    let state = if cortex_m { state(core)? } else { ProcessorState::Running };
    let status = if cortex_m { fault_status(core)? } else { FaultStatus::default() };
    if matches!(state, ProcessorState::Running | ProcessorState::LockedUp) {
        core.halt(HALT_LIMIT)?;
    }
    // The registers of a core that probe-rs has not seen halted are not to be had.
    core.status()?;
    let mut missing = Vec::new();
    let ranges = memory(core, plan, regions)?;
    let dump = dump(core, ranges, &mut missing)?;
    Ok(Snapshot { state, status, dump, missing })
}

fn state(core: &mut Core<'_>) -> Result<ProcessorState, probe_rs::Error> {
    Ok(match how_it_ended(core)? {
        None => ProcessorState::Running,
        Some(ProcessorEnd::Fault) => ProcessorState::CaughtAtFault,
        Some(ProcessorEnd::Reset) => ProcessorState::CaughtAtReset,
        Some(ProcessorEnd::Halted) => ProcessorState::Halted,
        Some(ProcessorEnd::LockedUp) => ProcessorState::LockedUp,
    })
}

fn fault_status(core: &mut Core<'_>) -> Result<FaultStatus, probe_rs::Error> {
    let dfsr = Word(core.read_word_32(DFSR)?);
    // The smallest cores know no more than that they faulted.
    if core.core_type() == CoreType::Armv6m {
        return Ok(FaultStatus { dfsr, ..FaultStatus::default() });
    }
    let mut word = |address| core.read_word_32(address).map(Word);
    Ok(FaultStatus { cfsr: word(CFSR)?, hfsr: word(HFSR)?, dfsr, mmfar: word(MMFAR)?, bfar: word(BFAR)? })
}

/// What is named, and both stacks from where they stand upwards.
fn memory(
    core: &mut Core<'_>,
    plan: &Plan,
    regions: &[Range<u64>],
) -> Result<Vec<Range<u64>>, probe_rs::Error> {
    let mut ranges = plan.memory.clone();
    ranges.extend(stacks(core, plan.stack_bytes_max)?);
    let inside = |range: &Range<u64>| {
        let region = regions.iter().find(|region| region.contains(&range.start))?;
        Some(range.start..range.end.min(region.end))
    };
    let mut ranges: Vec<Range<u64>> = ranges.iter().filter_map(inside).collect();
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    Ok(merged)
}

/// What is in use of each stack. The main one begins where the vector table says; where threads' stacks begin only
/// their system knows.
fn stacks(core: &mut Core<'_>, bytes_max: u64) -> Result<Vec<Range<u64>>, probe_rs::Error> {
    if !is_cortex_m(core) {
        let lowest: u64 = core.read_core_reg(core.stack_pointer())?;
        let stack = lowest..lowest.saturating_add(THREAD_STACK_BYTES_MAX);
        return Ok(Vec::from([stack]));
    }
    let mut lowest = |register| -> Result<u64, probe_rs::Error> {
        core.read_core_reg::<u32>(RegisterId(register)).map(|lowest| u64::from(lowest & !3))
    };
    let (main, thread) = (lowest(MSP)?, lowest(PSP)?);
    let table = core.read_word_32(VTOR)?;
    let beginning = u64::from(core.read_word_32(u64::from(table))?);
    let end = main.saturating_add(bytes_max);
    let main = match beginning.cmp(&main) {
        Ordering::Greater => main..end.min(beginning),
        // After a reset nothing is in use; what was is still there.
        Ordering::Equal => main.saturating_sub(THREAD_STACK_BYTES_MAX)..main,
        Ordering::Less => main..end,
    };
    Ok(vec![main, thread..thread.saturating_add(THREAD_STACK_BYTES_MAX)])
}

fn dump(
    core: &mut Core<'_>,
    mut ranges: Vec<Range<u64>>,
    missing: &mut Vec<String>,
) -> Result<CoreDump, probe_rs::Error> {
    if is_cortex_m(core) {
        // Fault status, so that debuggers can unwind from the dump alone.
        ranges.push(0xE000_ED00..0xE000_ED40);
    }
    CoreDump::dump_core(core, ranges).or_else(|error| {
        missing.push(format!("memory: {error}"));
        CoreDump::dump_core(core, Vec::new())
    })
}
