//! Transfers of core registers through DCRSR and DCRDR: ARMv7-M C1.6.3, ARMv8-M D1.2.41.
//!
//! The stub has R0 to R15, xPSR and the floating-point registers. Stack pointers, masks and limits come by an
//! instruction that the core executes. A core that sleeps in WFI executes none, nor does unprivileged code see them:
//! then the last value read since the core last ran is given, else what can be known without: the stack pointer in use
//! for MSP, reset values for the others.

use std::collections::BTreeMap;

use super::core::Core;
use super::inject::{Injection, Outcome};
use super::machine::{Machine, Register};
use super::vectors;
use crate::config::CoreKind;
use crate::link_error::LinkError;

/// SYSm of the special registers, as MRS and MSR encode them.
mod sysm {
    pub(super) const MSP: u8 = 8;
    pub(super) const PSP: u8 = 9;
    pub(super) const MSPLIM: u8 = 10;
    pub(super) const PSPLIM: u8 = 11;
    pub(super) const PRIMASK: u8 = 16;
    pub(super) const BASEPRI: u8 = 17;
    pub(super) const FAULTMASK: u8 = 19;
    pub(super) const CONTROL: u8 = 20;
    /// Added for the Non-secure one, seen from Secure state.
    pub(super) const NON_SECURE: u8 = 0x80;
}

/// What REGSEL selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selected {
    Stub(Register),
    Special(u8),
    /// CONTROL, FAULTMASK, BASEPRI and PRIMASK in one word; the bank to add to SYSm.
    Packed(u8),
}

/// CONTROL is uppermost.
const PACKED: [(u8, u32); 4] =
    [(sysm::PRIMASK, 0), (sysm::BASEPRI, 8), (sysm::FAULTMASK, 16), (sysm::CONTROL, 24)];

impl Selected {
    fn decode(selection: u32, kind: CoreKind) -> Option<Self> {
        let select = (selection & 0x7F) as u8;
        Some(match select {
            0..=15 => Self::Stub(Register::Core(select)),
            16 => Self::Stub(Register::Xpsr),
            17 => Self::Special(sysm::MSP),
            18 => Self::Special(sysm::PSP),
            20 => Self::Packed(0),
            33 => Self::Stub(Register::Fpscr),
            64..=95 => Self::Stub(Register::Single(select - 64)),
            _ if kind == CoreKind::Armv8m => return Self::decode_armv8m(select),
            _ => return None,
        })
    }

    fn decode_armv8m(select: u8) -> Option<Self> {
        Some(match select {
            24 => Self::Special(sysm::MSP | sysm::NON_SECURE),
            25 => Self::Special(sysm::PSP | sysm::NON_SECURE),
            26 => Self::Special(sysm::MSP),
            27 => Self::Special(sysm::PSP),
            28 => Self::Special(sysm::MSPLIM),
            29 => Self::Special(sysm::PSPLIM),
            30 => Self::Special(sysm::MSPLIM | sysm::NON_SECURE),
            31 => Self::Special(sysm::PSPLIM | sysm::NON_SECURE),
            34 => Self::Packed(0),
            35 => Self::Packed(sysm::NON_SECURE),
            _ => return None,
        })
    }
}

/// Special registers as read since the core last ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Specials {
    read: BTreeMap<u8, u32>,
    unreachable: bool,
}

impl Specials {
    /// The core runs: what was read is old.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl<M: Machine> Core<M> {
    /// A write to DCRSR: moves a register to DCRDR, or DCRDR to a register, at once. Without effect unless halted.
    pub(super) fn transfer_register(&mut self, request: u32) -> Result<(), LinkError> {
        const WRITE: u32 = 1 << 16;
        if self.state != super::core::RunState::Halted {
            return Ok(());
        }
        let selected = Selected::decode(request, self.kind)
            .ok_or_else(|| LinkError::Refused(format!("core register {:#x}", request & 0x7F)))?;
        if request & WRITE == 0 {
            self.dcrdr = self.read_selected(selected)?;
            return Ok(());
        }
        self.write_selected(selected, self.dcrdr)
    }

    fn read_selected(&mut self, selected: Selected) -> Result<u32, LinkError> {
        match selected {
            Selected::Stub(register) => self.machine.read_register(register),
            Selected::Special(sysm) => self.read_special(sysm),
            Selected::Packed(bank) => PACKED.into_iter().try_fold(0, |word, (sysm, shift)| {
                Ok(word | (self.read_special(sysm | bank)? & 0xFF) << shift)
            }),
        }
    }

    fn write_selected(&mut self, selected: Selected, value: u32) -> Result<(), LinkError> {
        match selected {
            // The debug return address has no Thumb bit.
            Selected::Stub(Register::PC) => self.machine.write_register(Register::PC, value & !1),
            Selected::Stub(register) => self.machine.write_register(register, value),
            Selected::Special(sysm) => self.write_special(sysm, value),
            Selected::Packed(bank) => PACKED
                .into_iter()
                .try_for_each(|(sysm, shift)| self.write_special(sysm | bank, value >> shift & 0xFF)),
        }
    }

    fn read_special(&mut self, sysm: u8) -> Result<u32, LinkError> {
        if let Some(known) = self.specials.read.get(&sysm) {
            return Ok(*known);
        }
        if !self.specials.unreachable
            && let Some(value) = self.execute(Injection::read_special(sysm))?
        {
            self.specials.read.insert(sysm, value);
            return Ok(value);
        }
        self.specials.unreachable = true;
        if sysm == sysm::MSP { self.machine.read_register(Register::SP) } else { Ok(0) }
    }

    fn write_special(&mut self, sysm: u8, value: u32) -> Result<(), LinkError> {
        let done = self.execute(Injection::write_special(sysm, value))?;
        self.specials.forget();
        done.map(drop).ok_or_else(|| LinkError::Refused("a special register of a core that sleeps".into()))
    }

    /// R0 after an instruction of the debugger's; `None` if the core sleeps.
    pub(super) fn execute(&mut self, injection: Injection) -> Result<Option<u32>, LinkError> {
        let from_pc = !vectors::would_lock_up(&mut self.machine)?;
        Ok(match injection.execute(&mut self.machine, from_pc)? {
            Outcome::Done { r0 } => Some(r0),
            Outcome::Asleep => None,
        })
    }
}
