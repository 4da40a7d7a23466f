//! Run control: what DHCSR, DEMCR, resets and the reset line do to the core, and how the core stands.
//!
//! A running core is stopped for each access and goes on when the debugger's packet is done; that pause is not a halt and
//! never shows. Nothing here waits longer than the machine below does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::catches::{Catches, Cause, is_bkpt};
use super::core_registers::Specials;
use super::dhcsr::{Control, Status, demcr, dfsr};
use super::fpb::Fpb;
use super::machine::{Machine, Register};
use super::vectors;
use crate::config::CoreKind;
use crate::gdb::client::Stop;
use crate::link_error::LinkError;

/// How long one step of the program may take.
const STEP_LIMIT: Duration = Duration::from_secs(1);
/// How long where it begins or stands at a WFI: QEMU's core sleeps there and steps only when an interrupt comes.
const SLEEPING_STEP_LIMIT: Duration = Duration::from_millis(5);

/// How the core stands, to the debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunState {
    /// The program runs.
    Running,
    /// It stands still for an access and goes on after it. To the debugger it runs.
    Paused,
    /// In debug state.
    Halted,
    /// Held back from a vector table on which it would lock up.
    LockedUp,
    /// Held by the reset line.
    InReset,
}

/// The debug registers of one core and the machine that has it.
#[derive(Debug)]
pub(crate) struct Core<M> {
    pub(super) machine: M,
    pub(super) kind: CoreKind,
    pub(super) state: RunState,
    pub(super) debug_enabled: bool,
    pub(super) interrupts_masked: bool,
    pub(super) demcr: u32,
    pub(super) dfsr: u32,
    pub(super) dcrdr: u32,
    pub(super) fpb: Fpb,
    pub(super) specials: Specials,
    /// Registers that never change, once read.
    pub(super) constants: BTreeMap<u32, u32>,
    catches: Catches,
    armed: BTreeSet<u32>,
    resets_seen: u64,
}

impl<M: Machine> Core<M> {
    /// Takes over a machine that the stub has stopped. One that ran goes on; one that never ran shows as halted.
    pub(crate) fn new(machine: M, kind: CoreKind, was_running: bool) -> Self {
        Self {
            resets_seen: machine.resets(),
            machine,
            kind,
            state: if was_running { RunState::Paused } else { RunState::Halted },
            debug_enabled: !was_running,
            interrupts_masked: false,
            demcr: 0,
            dfsr: 0,
            dcrdr: 0,
            fpb: Fpb::default(),
            specials: Specials::default(),
            constants: BTreeMap::new(),
            catches: Catches::default(),
            armed: BTreeSet::new(),
        }
    }

    /// A debugger's packet is done: what was paused for it goes on.
    pub(crate) fn settle(&mut self) -> Result<(), LinkError> {
        if self.state == RunState::Paused {
            self.go()?;
        }
        Ok(())
    }

    /// Makes memory and registers accessible.
    pub(super) fn stand_still(&mut self) -> Result<(), LinkError> {
        if self.state == RunState::Running {
            let stop = self.machine.interrupt()?;
            self.stopped(stop)?;
        }
        Ok(())
    }

    /// The word that DHCSR shows; reading it takes note of a reset.
    pub(super) fn read_dhcsr(&mut self) -> Result<u32, LinkError> {
        if self.state == RunState::Running
            && let Some(stop) = self.machine.poll_stop()?
        {
            self.stopped(stop)?;
        }
        let resets = self.machine.resets();
        let was_reset = resets != self.resets_seen || self.state == RunState::InReset;
        self.resets_seen = resets;
        let status = Status {
            debug_enabled: self.debug_enabled,
            interrupts_masked: self.interrupts_masked,
            halted: self.state == RunState::Halted,
            locked_up: self.state == RunState::LockedUp,
            running: matches!(self.state, RunState::Running | RunState::Paused),
            was_reset,
            secure_debug: self.kind == CoreKind::Armv8m,
        };
        Ok(status.to_word())
    }

    /// Halts, steps or lets go, as DHCSR is told.
    pub(super) fn write_dhcsr(&mut self, word: u32) -> Result<(), LinkError> {
        let Some(control) = Control::from_write(word) else { return Ok(()) };
        // A catch of the reset may have halted it before C_DEBUGEN was set; setting it lets nothing go.
        let enables_debug = control.debug_enable && !self.debug_enabled;
        let disables_debug = !control.debug_enable && self.debug_enabled;
        self.debug_enabled = control.debug_enable;
        self.interrupts_masked = control.mask_interrupts;
        match self.state {
            RunState::InReset => Ok(()),
            _ if control.debug_enable && control.halt => self.halt(),
            RunState::Halted if control.debug_enable && control.step => self.step(),
            RunState::Halted if enables_debug => Ok(()),
            RunState::Halted => self.run(),
            RunState::Running if disables_debug => self.rearm(),
            RunState::Running | RunState::Paused | RunState::LockedUp => Ok(()),
        }
    }

    fn halt(&mut self) -> Result<(), LinkError> {
        self.stand_still()?;
        if self.state != RunState::Halted {
            self.halted_by(dfsr::HALTED);
        }
        Ok(())
    }

    fn halted_by(&mut self, cause: u32) {
        self.state = RunState::Halted;
        self.dfsr |= cause;
    }

    /// One instruction. A BKPT is not passed, as on silicon; nor does a sleeping core move.
    fn step(&mut self) -> Result<(), LinkError> {
        if self.held_back()? {
            return Ok(());
        }
        let pc = self.machine.read_register(Register::PC)?;
        if is_bkpt(&mut self.machine, pc)? {
            self.halted_by(dfsr::BKPT);
            return Ok(());
        }
        self.step_from(pc)?;
        self.halted_by(dfsr::HALTED);
        Ok(())
    }

    fn step_from(&mut self, pc: u32) -> Result<(), LinkError> {
        self.specials.forget();
        let limit = if self.is_near_wfi(pc)? { SLEEPING_STEP_LIMIT } else { STEP_LIMIT };
        if self.machine.step(limit)?.is_none() {
            self.machine.interrupt()?;
        }
        Ok(())
    }

    fn is_near_wfi(&mut self, pc: u32) -> Result<bool, LinkError> {
        const WFI: [u8; 2] = 0xBF30_u16.to_le_bytes();
        match self.machine.read_memory(pc.wrapping_sub(2), 4) {
            Ok(around) => Ok(around.chunks(2).any(|instruction| instruction == WFI)),
            Err(LinkError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Leaves debug state. A vector that is caught was seen by the debugger already if the core stands at it.
    fn run(&mut self) -> Result<(), LinkError> {
        if self.held_back()? {
            return Ok(());
        }
        self.catches.find_return(&mut self.machine)?;
        self.catches.read_vectors(&mut self.machine, self.demcr)?;
        let pc = self.machine.read_register(Register::PC)?;
        if self.catches.holds_vector(pc) {
            self.step_from(pc)?;
        }
        self.go()
    }

    fn held_back(&mut self) -> Result<bool, LinkError> {
        let held = vectors::would_lock_up(&mut self.machine)?;
        if held {
            self.state = RunState::LockedUp;
        }
        Ok(held)
    }

    /// Lets the machine run with the breakpoints that are to be in force.
    fn go(&mut self) -> Result<(), LinkError> {
        self.catches.read_vectors(&mut self.machine, self.demcr)?;
        let wanted = self.breakpoints();
        for address in self.armed.difference(&wanted) {
            self.machine.clear_breakpoint(*address)?;
        }
        for address in wanted.difference(&self.armed) {
            self.machine.set_breakpoint(*address)?;
        }
        self.armed = wanted;
        self.specials.forget();
        self.machine.resume()?;
        self.state = RunState::Running;
        Ok(())
    }

    /// Without C_DEBUGEN none is in force: a debugger that left must not find the program stopped.
    fn breakpoints(&self) -> BTreeSet<u32> {
        let all = self.fpb.addresses().chain(self.catches.addresses());
        all.filter(|_| self.debug_enabled).collect()
    }

    /// Something changed that bears on where to break: a running machine takes it over when it goes on.
    pub(super) fn rearm(&mut self) -> Result<(), LinkError> {
        self.stand_still()
    }

    /// The running machine has stopped: by us, or by itself.
    fn stopped(&mut self, stop: Stop) -> Result<(), LinkError> {
        if stop.is_interrupt() {
            self.state = RunState::Paused;
            return Ok(());
        }
        let pc = self.machine.read_register(Register::PC)?;
        let at_breakpoint = self.fpb.addresses().any(|address| address == pc);
        match self.catches.cause(&mut self.machine, pc)? {
            _ if at_breakpoint => self.halted_by(dfsr::BKPT),
            Cause::Return => self.halted_by(dfsr::BKPT),
            Cause::Vector => self.halted_by(dfsr::VCATCH),
            Cause::Passing => {
                self.step_from(pc)?;
                self.state = RunState::Paused;
            }
            Cause::Other => self.halted_by(dfsr::HALTED),
        }
        Ok(())
    }

    /// A reset of the system by AIRCR: the debug registers survive it.
    pub(super) fn reset(&mut self) -> Result<(), LinkError> {
        self.stand_still()?;
        self.machine.system_reset()?;
        if self.state == RunState::InReset { Ok(()) } else { self.leave_reset() }
    }

    /// The reset line goes low: the core is reset and stays so.
    pub(crate) fn assert_reset(&mut self) -> Result<(), LinkError> {
        self.stand_still()?;
        self.machine.system_reset()?;
        self.state = RunState::InReset;
        Ok(())
    }

    /// The reset line goes high.
    pub(crate) fn release_reset(&mut self) -> Result<(), LinkError> {
        if self.state == RunState::InReset { self.leave_reset() } else { Ok(()) }
    }

    /// Starts from the vector table, or halts before the first instruction. The catch counts without C_DEBUGEN too:
    /// probe-rs sets it first.
    fn leave_reset(&mut self) -> Result<(), LinkError> {
        self.specials.forget();
        if self.demcr & demcr::VC_CORERESET != 0 {
            self.halted_by(dfsr::VCATCH);
            return Ok(());
        }
        if self.held_back()? {
            return Ok(());
        }
        self.catches = Catches::default();
        self.go()
    }
}
