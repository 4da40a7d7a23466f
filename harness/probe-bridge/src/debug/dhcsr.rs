//! Debug Halting Control and Status, Debug Fault Status, Debug Exception and Monitor Control: their bits.
//!
//! ARMv7-M C1.6.2, C1.6.1 and C1.6.5.

/// What a write to DHCSR asks for; the bus ignores writes without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) debug_enable: bool,
    pub(crate) halt: bool,
    pub(crate) step: bool,
    pub(crate) mask_interrupts: bool,
}

impl Control {
    /// Reads a written word; `None` without the key in its upper half.
    pub(crate) fn from_write(word: u32) -> Option<Self> {
        const KEY: u32 = 0xA05F;
        (word >> 16 == KEY).then_some(Self {
            debug_enable: word & C_DEBUGEN != 0,
            halt: word & C_HALT != 0,
            step: word & C_STEP != 0,
            mask_interrupts: word & C_MASKINTS != 0,
        })
    }
}

const C_DEBUGEN: u32 = 1 << 0;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
/// Secure debug is enabled; only ARMv8-M has the bit.
const S_SDE: u32 = 1 << 20;
const S_RETIRE_ST: u32 = 1 << 24;
const S_RESET_ST: u32 = 1 << 25;

/// What a read of DHCSR shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) debug_enabled: bool,
    pub(crate) interrupts_masked: bool,
    pub(crate) halted: bool,
    pub(crate) locked_up: bool,
    pub(crate) running: bool,
    pub(crate) was_reset: bool,
    pub(crate) secure_debug: bool,
}

impl Status {
    /// The word on the bus. A halted core shows C_HALT, since debuggers write back what they read; register transfers are
    /// always done.
    pub(crate) fn to_word(self) -> u32 {
        let bit = |set: bool, bits: u32| if set { bits } else { 0 };
        S_REGRDY
            | bit(self.debug_enabled, C_DEBUGEN)
            | bit(self.interrupts_masked, C_MASKINTS)
            | bit(self.halted, S_HALT | C_HALT)
            | bit(self.locked_up, S_LOCKUP)
            | bit(self.running, S_RETIRE_ST)
            | bit(self.was_reset, S_RESET_ST)
            | bit(self.secure_debug, S_SDE)
    }
}

/// Bits of DFSR: why the core halted. A written one clears.
pub(crate) mod dfsr {
    /// By request, or after a step.
    pub(crate) const HALTED: u32 = 1 << 0;
    /// At a breakpoint.
    pub(crate) const BKPT: u32 = 1 << 1;
    /// By vector catch.
    pub(crate) const VCATCH: u32 = 1 << 3;
    /// All that are defined.
    pub(crate) const ALL: u32 = 0x1F;
}

/// Bits of DEMCR that have an effect here; the others are kept as written.
pub(crate) mod demcr {
    /// Halt after a reset.
    pub(crate) const VC_CORERESET: u32 = 1 << 0;
    /// Halt on entry to HardFault.
    pub(crate) const VC_HARDERR: u32 = 1 << 10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_the_key_asks_for_nothing() {
        assert_eq!(Control::from_write(0x0000_0003), None);
        let control = Control::from_write(0xA05F_0003).unwrap();
        assert!(control.debug_enable && control.halt && !control.step && !control.mask_interrupts);
    }

    #[test]
    fn a_halted_core_that_is_written_back_stays_halted() {
        let shown = Status { debug_enabled: true, halted: true, ..Status::default() }.to_word();
        let written_back = shown & 0xFFFF | 0xA05F << 16;
        assert!(
            Control::from_write(written_back).is_some_and(|control| control.halt && control.debug_enable)
        );
    }

    #[test]
    fn register_transfers_are_always_done() {
        assert_eq!(Status::default().to_word(), S_REGRDY);
    }
}
