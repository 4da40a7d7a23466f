//! The signs that a verdict rests on, from what the device said, how its processor stood, and the fault that ended the
//! run.

use super::registers::{interrupts_masked, registers};
use super::snapshot::Snapshot;
use crate::autopsy::{HARD_FAULT, PANIC};
use crate::{DeviceFault, ProcessorEnd, ProcessorState, Signs};

/// HardFault, MemManage, BusFault, UsageFault and SecureFault: ARMv8-M B3.8.
const FAULTS: std::ops::RangeInclusive<u32> = 3..=7;
const EXCEPTION: u32 = 0x1FF;

/// Gathers them, the heartbeat aside.
pub(super) fn signs(
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
    let handles_fault = |taken: &Snapshot| FAULTS.contains(&(registers(&taken.dump).xpsr & EXCEPTION));
    let reset = matches!(fault, DeviceFault::Rebooted { .. } | DeviceFault::Processor(ProcessorEnd::Reset));
    Signs {
        probe_failure,
        locked_up: state == Some(ProcessorState::LockedUp),
        panic,
        // A breakpoint instruction is a fault wherever nobody debugs.
        faulted: faulted
            || taken.is_some_and(handles_fault)
            || matches!(state, Some(ProcessorState::CaughtAtFault | ProcessorState::Halted)),
        rebooted: reset || state == Some(ProcessorState::CaughtAtReset),
        interrupts_masked: taken.is_some_and(|taken| interrupts_masked(&taken.dump)),
        ..Signs::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use probe_rs::{CoreDump, CoreType, InstructionSet, RegisterId, RegisterValue};

    use super::*;
    use crate::{AutopsyVerdict, FaultStatus};

    fn taken(state: ProcessorState, registers: &[(u16, u32)]) -> Snapshot {
        let register = |&(number, value): &(u16, u32)| (RegisterId(number), RegisterValue::U32(value));
        let dump = CoreDump {
            registers: registers.iter().map(register).collect::<HashMap<_, _>>(),
            data: Vec::new(),
            instruction_set: InstructionSet::Thumb2,
            supports_native_64bit_access: false,
            core_type: CoreType::Armv7m,
            fpu_support: false,
            floating_point_register_count: None,
        };
        Snapshot { state, status: FaultStatus::default(), dump, missing: Vec::new() }
    }

    fn lost() -> DeviceFault {
        DeviceFault::LinkLost { doing: "reading", error: "unplugged".to_owned() }
    }

    fn verdict(taken: &Snapshot, said: &str) -> AutopsyVerdict {
        signs(&lost(), None, Some(taken), &[said.to_owned()]).verdict()
    }

    #[test]
    fn a_breakpoint_and_a_fault_handler_are_faults() {
        assert_eq!(verdict(&taken(ProcessorState::Halted, &[]), ""), AutopsyVerdict::Fault);
        let in_handler = taken(ProcessorState::Running, &[(16, 0x0100_0006)]);
        assert_eq!(verdict(&in_handler, ""), AutopsyVerdict::Fault);
        let in_interrupt = taken(ProcessorState::Running, &[(16, 0x0100_0013)]);
        assert_eq!(verdict(&in_interrupt, ""), AutopsyVerdict::LinkLost);
    }

    #[test]
    fn words_tell_a_panic_from_a_fault() {
        let running = taken(ProcessorState::Running, &[]);
        assert_eq!(verdict(&running, "PANIC: no more memory"), AutopsyVerdict::Panic);
        assert_eq!(verdict(&running, "PANIC: hard fault at 0x00000000"), AutopsyVerdict::Fault);
    }

    #[test]
    fn each_mask_keeps_interrupts_away() {
        for (extra, masked) in [(1, true), (1 << 16, true), (1 << 8, false), (0, false)] {
            let taken = taken(ProcessorState::Running, &[(20, extra)]);
            assert_eq!(signs(&lost(), None, Some(&taken), &[]).interrupts_masked, masked, "{extra:#x}");
        }
    }
}
