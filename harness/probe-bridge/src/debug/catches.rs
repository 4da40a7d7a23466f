//! Breakpoints that the debugger did not set, but whose effect it expects: vector catch, and BKPT as a return address.
//!
//! QEMU has no vector catch, and takes BKPT for a fault instead of halting. So the bridge breaks at the handler of
//! HardFault and of reset while their catch is enabled, and at a BKPT to which the link register points, which is how a
//! flash algorithm says that it is done.

use super::dhcsr::demcr::{VC_CORERESET, VC_HARDERR};
use super::machine::{Machine, Register};
use super::vectors::Vectors;
use crate::link_error::LinkError;

/// The exception number in xPSR.
const EXCEPTION: u32 = 0x1FF;
const HARD_FAULT: u32 = 3;

/// The addresses in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catches {
    hard_fault: Option<u32>,
    reset: Option<u32>,
    return_to: Option<u32>,
}

/// Why the program stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The vector that is caught.
    Vector,
    /// The BKPT that it returned to.
    Return,
    /// A caught handler that was reached another way: vectors share handlers.
    Passing,
    /// None of these.
    Other,
}

impl Catches {
    /// Reads the vectors anew: firmware moves its table.
    pub(crate) fn read_vectors(&mut self, machine: &mut impl Machine, demcr: u32) -> Result<(), LinkError> {
        (self.hard_fault, self.reset) = (None, None);
        if demcr & (VC_HARDERR | VC_CORERESET) == 0 {
            return Ok(());
        }
        let Some(vectors) = Vectors::read(machine)? else { return Ok(()) };
        self.hard_fault = vectors.hard_fault().filter(|_| demcr & VC_HARDERR != 0);
        self.reset = vectors.reset().filter(|_| demcr & VC_CORERESET != 0);
        Ok(())
    }

    /// Looks where the program will return to. Good until the core halts: nested calls keep the address on their stack.
    pub(crate) fn find_return(&mut self, machine: &mut impl Machine) -> Result<(), LinkError> {
        let address = machine.read_register(Register::LR)? & !1;
        self.return_to = is_bkpt(machine, address)?.then_some(address);
        Ok(())
    }

    /// Where to break.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u32> {
        [self.hard_fault, self.reset, self.return_to].into_iter().flatten()
    }

    /// Whether a core that starts at `pc` would stop again before it executed anything.
    pub(crate) fn holds_vector(&self, pc: u32) -> bool {
        [self.hard_fault, self.reset].contains(&Some(pc))
    }

    /// Why the program stopped at `pc`.
    pub(crate) fn cause(&self, machine: &mut impl Machine, pc: u32) -> Result<Cause, LinkError> {
        if self.return_to == Some(pc) {
            return Ok(Cause::Return);
        }
        if self.hard_fault == Some(pc) && machine.read_register(Register::Xpsr)? & EXCEPTION == HARD_FAULT {
            return Ok(Cause::Vector);
        }
        Ok(match (self.reset == Some(pc), self.hard_fault == Some(pc)) {
            (true, _) => Cause::Vector,
            (false, true) => Cause::Passing,
            (false, false) => Cause::Other,
        })
    }
}

/// Whether a BKPT is there.
pub(crate) fn is_bkpt(machine: &mut impl Machine, address: u32) -> Result<bool, LinkError> {
    match machine.read_halfword(address & !1) {
        Ok(instruction) => Ok(instruction & 0xFF00 == 0xBE00),
        Err(LinkError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMachine;
    use super::*;

    fn machine() -> FakeMachine {
        let mut machine = FakeMachine::default();
        machine.put_words(0xE000_ED08, &[0]);
        machine.put_words(0, &[0x2000_1000, 0x101, 0x201, 0x201]);
        machine.put_words(0x2000_0000, &[0xBE00_BE00]);
        machine
    }

    fn catches(machine: &mut FakeMachine, demcr: u32) -> Catches {
        let mut catches = Catches::default();
        catches.read_vectors(machine, demcr).unwrap();
        catches.find_return(machine).unwrap();
        catches
    }

    #[test]
    fn nothing_is_caught_unless_asked() {
        let catches = catches(&mut machine(), 0);
        assert_eq!(catches.addresses().count(), 0);
    }

    #[test]
    fn hard_fault_is_told_from_another_exception_with_its_handler() {
        let mut machine = machine();
        let catches = catches(&mut machine, VC_HARDERR);
        machine.set(Register::Xpsr, 0x0100_0003);
        assert_eq!(catches.cause(&mut machine, 0x200).unwrap(), Cause::Vector);
        machine.set(Register::Xpsr, 0x0100_0002);
        assert_eq!(catches.cause(&mut machine, 0x200).unwrap(), Cause::Passing);
        assert_eq!(catches.cause(&mut machine, 0x100).unwrap(), Cause::Other);
    }

    #[test]
    fn reset_is_caught_at_its_handler() {
        let mut machine = machine();
        let catches = catches(&mut machine, VC_CORERESET);
        assert_eq!(catches.cause(&mut machine, 0x100).unwrap(), Cause::Vector);
        assert!(catches.holds_vector(0x100) && !catches.holds_vector(0x200));
    }

    #[test]
    fn a_return_address_counts_only_where_a_bkpt_is() {
        let mut machine = machine();
        machine.set(Register::LR, 0x2000_0001);
        let found = catches(&mut machine, 0);
        assert_eq!(found.cause(&mut machine, 0x2000_0000).unwrap(), Cause::Return);
        for elsewhere in [0x101, u32::MAX] {
            machine.set(Register::LR, elsewhere);
            assert_eq!(catches(&mut machine, 0).addresses().count(), 0);
        }
    }
}
