//! Has the core execute one instruction of the debugger's.
//!
//! The stub reaches neither special registers (MSP, PRIMASK) nor, for writing, the system control space. The core does,
//! so a store or a register move is put where it stands, stepped, and all is put back. Never leaves a trace in memory,
//! R0, R1, PC or xPSR.

use std::time::Duration;

use super::machine::{Machine, Register};
use crate::link_error::LinkError;

/// How long one instruction may take. A sleeping core executes none, however long one waits.
const STEP_LIMIT: Duration = Duration::from_millis(20);

/// Memory that is there and executable on the boards known here, for a core that stands where nothing is.
const SPARE_PLACES: [u32; 3] = [0x2000_0000, 0x3000_0000, 0x3800_0000];

const XPSR_THUMB: u32 = 1 << 24;
/// If-then state, under which the instruction might be skipped.
const XPSR_IT: u32 = 0x0600_FC00;

/// One instruction with what it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Injection {
    code: [u16; 2],
    /// Bytes of it that are one instruction: a second half-word may be a filler.
    length: u32,
    r0: u32,
    r1: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was executed; R0 thereafter.
    Done { r0: u32 },
    /// The core sleeps in WFI and executes nothing.
    Asleep,
}

const NOP: u16 = 0xBF00;

impl Injection {
    /// `MRS r0, sysm`.
    pub(crate) fn read_special(sysm: u8) -> Self {
        Self { code: [0xF3EF, 0x8000 | u16::from(sysm)], length: 4, r0: 0, r1: 0 }
    }

    /// `MSR sysm, r0`.
    pub(crate) fn write_special(sysm: u8, value: u32) -> Self {
        Self { code: [0xF380, 0x8800 | u16::from(sysm)], length: 4, r0: value, r1: 0 }
    }

    /// `STR`, `STRH` or `STRB r1, [r0]`.
    pub(crate) fn store(address: u32, value: u32, width_bytes: u32) -> Self {
        let store = match width_bytes {
            1 => 0x7001,
            2 => 0x8001,
            _ => 0x6001,
        };
        Self { code: [store, NOP], length: 2, r0: address, r1: value }
    }

    /// Executes it on a machine that stands still. `from_pc`: the core's own place is fit for it.
    pub(crate) fn execute(self, machine: &mut impl Machine, from_pc: bool) -> Result<Outcome, LinkError> {
        let saved = Saved::read(machine)?;
        let place = self.find_place(machine, from_pc.then_some(saved.pc & !1))?;
        let instruction = machine.read_memory(place, 4)?;
        let outcome = self.execute_at(machine, place, saved.xpsr);
        // Put back whatever the outcome is.
        machine.write_memory(place, &instruction)?;
        saved.restore(machine)?;
        outcome
    }

    fn find_place(self, machine: &mut impl Machine, pc: Option<u32>) -> Result<u32, LinkError> {
        for place in pc.into_iter().chain(SPARE_PLACES) {
            match machine.read_memory(place, 4) {
                Ok(_) => return Ok(place),
                Err(LinkError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(LinkError::Refused("an instruction of the debugger's: no memory to put it in".into()))
    }

    fn execute_at(self, machine: &mut impl Machine, place: u32, xpsr: u32) -> Result<Outcome, LinkError> {
        let [first, second] = self.code.map(u16::to_le_bytes);
        machine.write_memory(place, &[first, second].concat())?;
        machine.write_register(Register::R0, self.r0)?;
        machine.write_register(Register::R1, self.r1)?;
        machine.write_register(Register::Xpsr, xpsr & !XPSR_IT | XPSR_THUMB)?;
        machine.write_register(Register::PC, place)?;
        if machine.step(STEP_LIMIT)?.is_none() {
            machine.interrupt()?;
        }
        match machine.read_register(Register::PC)? {
            pc if pc == place.wrapping_add(self.length) => {
                Ok(Outcome::Done { r0: machine.read_register(Register::R0)? })
            }
            pc if pc == place => Ok(Outcome::Asleep),
            _ => Err(LinkError::Refused("an instruction of the debugger's: it faulted".into())),
        }
    }
}

/// The registers that an injection disturbs.
struct Saved {
    r0: u32,
    r1: u32,
    pc: u32,
    xpsr: u32,
}

impl Saved {
    fn read(machine: &mut impl Machine) -> Result<Self, LinkError> {
        Ok(Self {
            r0: machine.read_register(Register::R0)?,
            r1: machine.read_register(Register::R1)?,
            pc: machine.read_register(Register::PC)?,
            xpsr: machine.read_register(Register::Xpsr)?,
        })
    }

    fn restore(&self, machine: &mut impl Machine) -> Result<(), LinkError> {
        machine.write_register(Register::R0, self.r0)?;
        machine.write_register(Register::R1, self.r1)?;
        machine.write_register(Register::Xpsr, self.xpsr)?;
        machine.write_register(Register::PC, self.pc)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMachine;
    use super::*;

    const PLACE: u32 = 0x100;

    fn machine() -> FakeMachine {
        let mut machine = FakeMachine::default();
        machine.put_words(PLACE, &[0x1234_5678]);
        machine.set(Register::R0, 7);
        machine.set(Register::R1, 8);
        machine.set(Register::PC, PLACE);
        machine.set(Register::Xpsr, 0x6100_0C00);
        machine
    }

    fn assert_untouched(machine: &mut FakeMachine) {
        assert_eq!(machine.read_word(PLACE).unwrap(), 0x1234_5678);
        let registers = [Register::R0, Register::R1, Register::PC, Register::Xpsr];
        assert_eq!(registers.map(|register| machine.get(register)), [7, 8, PLACE, 0x6100_0C00]);
    }

    #[test]
    fn the_instruction_is_executed_unconditionally_and_nothing_else_remains() {
        let mut machine = machine();
        machine.on_step(|machine| {
            assert_eq!(machine.read_word(PLACE).unwrap(), 0x8008_F3EF, "MRS r0, MSP");
            assert_eq!(machine.get(Register::Xpsr) & XPSR_IT, 0);
            machine.set(Register::R0, 0x2000_4000);
            machine.set(Register::PC, PLACE + 4);
        });
        let outcome = Injection::read_special(8).execute(&mut machine, true).unwrap();
        assert_eq!(outcome, Outcome::Done { r0: 0x2000_4000 });
        assert_untouched(&mut machine);
    }

    #[test]
    fn a_sleeping_core_is_told_from_a_working_one() {
        let mut machine = machine();
        machine.sleeps(true);
        let outcome = Injection::read_special(8).execute(&mut machine, true).unwrap();
        assert_eq!(outcome, Outcome::Asleep);
        assert_untouched(&mut machine);
    }

    #[test]
    fn an_instruction_that_faults_is_refused() {
        let mut machine = machine();
        machine.on_step(|machine| machine.set(Register::PC, 0x900));
        let outcome = Injection::store(0xE000_E100, 1, 4).execute(&mut machine, true);
        assert!(matches!(outcome, Err(LinkError::Refused(_))), "{outcome:?}");
        assert_untouched(&mut machine);
    }

    #[test]
    fn a_core_that_stands_nowhere_borrows_ram() {
        let mut machine = machine();
        machine.put_words(0x2000_0000, &[0xAAAA_5555]);
        machine.set(Register::PC, 0x9000_0000);
        machine.on_step(|machine| machine.set(Register::PC, 0x2000_0002));
        let outcome = Injection::store(0xE000_E100, 1, 1).execute(&mut machine, true).unwrap();
        assert_eq!(outcome, Outcome::Done { r0: 0xE000_E100 });
        assert_eq!(machine.read_word(0x2000_0000).unwrap(), 0xAAAA_5555);
    }
}
