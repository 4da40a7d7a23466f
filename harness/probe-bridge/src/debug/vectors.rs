//! The vector table in use, and whether the core could run on it at all.
//!
//! QEMU ends itself when a core locks up. An empty table locks it up at its first exception, so a core that is about to
//! start from one is not let go.

use super::machine::{Machine, Register};
use crate::link_error::LinkError;

/// Vector Table Offset Register.
const VTOR: u32 = 0xE000_ED08;
/// Stack pointer, reset, NMI and HardFault.
const HEAD_BYTES: usize = 16;
/// The execution state bit of xPSR.
const THUMB: u32 = 1 << 24;

/// The vectors that matter for control of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    reset: u32,
    hard_fault: u32,
}

impl Vectors {
    /// The table that VTOR names; `None` where no memory is.
    pub(crate) fn read(machine: &mut impl Machine) -> Result<Option<Self>, LinkError> {
        let table = machine.read_word(VTOR)?;
        match machine.read_memory(table, HEAD_BYTES) {
            Ok(head) => Ok(Self::from_head(&head)),
            Err(LinkError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn from_head(head: &[u8]) -> Option<Self> {
        let (words, _) = head.as_chunks::<4>();
        let word = |index: usize| words.get(index).copied().map(u32::from_le_bytes);
        Some(Self { reset: word(1)?, hard_fault: word(3)? })
    }

    /// The first instruction after a reset.
    pub(crate) fn reset(self) -> Option<u32> {
        handler(self.reset)
    }

    /// The first instruction of the HardFault handler.
    pub(crate) fn hard_fault(self) -> Option<u32> {
        handler(self.hard_fault)
    }

    fn is_empty(self) -> bool {
        self.reset().is_none() && self.hard_fault().is_none()
    }
}

/// A vector without its Thumb bit; zeros, erased flash and ARM state are no handler.
fn handler(vector: u32) -> Option<u32> {
    (vector & 1 != 0 && vector != u32::MAX).then_some(vector & !1)
}

/// Whether the core would lock up at once if it ran: nothing to run, and nobody to take the fault. A flash algorithm in
/// RAM may run on an empty table.
pub(crate) fn would_lock_up(machine: &mut impl Machine) -> Result<bool, LinkError> {
    let vectors = Vectors::read(machine)?;
    if vectors.is_some_and(|vectors| !vectors.is_empty()) {
        return Ok(false);
    }
    let thumb = machine.read_register(Register::Xpsr)? & THUMB != 0;
    let pc = machine.read_register(Register::PC)?;
    let raw_reset = vectors.map(|vectors| vectors.reset & !1);
    Ok(!thumb || Some(pc) == raw_reset || !is_readable(machine, pc)?)
}

fn is_readable(machine: &mut impl Machine, address: u32) -> Result<bool, LinkError> {
    match machine.read_halfword(address) {
        Ok(_) => Ok(true),
        Err(LinkError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMachine;
    use super::*;

    fn machine(table: [u32; 4], pc: u32, xpsr: u32) -> FakeMachine {
        let mut machine = FakeMachine::default();
        machine.put_words(0, &table);
        machine.put_words(VTOR, &[0]);
        machine.put_words(0x2000_0000, &[0xBE00_BF00]);
        machine.set(Register::PC, pc);
        machine.set(Register::Xpsr, xpsr);
        machine
    }

    #[test]
    fn an_empty_table_locks_up_from_reset() {
        for word in [0, u32::MAX] {
            assert!(would_lock_up(&mut machine([word; 4], word & !1, 0)).unwrap());
            assert!(would_lock_up(&mut machine([word; 4], word & !1, THUMB)).unwrap());
        }
    }

    #[test]
    fn a_flash_algorithm_runs_on_an_empty_table() {
        assert!(!would_lock_up(&mut machine([0; 4], 0x2000_0000, THUMB)).unwrap());
        assert!(would_lock_up(&mut machine([0; 4], 0x2000_0000, 0)).unwrap());
        assert!(would_lock_up(&mut machine([0; 4], 0x9000_0000, THUMB)).unwrap());
    }

    #[test]
    fn firmware_with_a_table_is_never_held_back() {
        assert!(!would_lock_up(&mut machine([0x2000_1000, 0x101, 0x103, 0x105], 0x100, THUMB)).unwrap());
    }
}
