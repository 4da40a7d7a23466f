//! A machine without QEMU, for tests of the debug hardware: words of memory, registers, scripted steps and stops.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::machine::{Machine, Register};
use crate::gdb::client::Stop;
use crate::link_error::LinkError;

/// A stop by our interrupt.
pub(crate) const INTERRUPTED: Stop = Stop { signal: 2 };
/// A stop by a breakpoint or a step.
pub(crate) const TRAPPED: Stop = Stop { signal: 5 };

type Script = Box<dyn FnMut(&mut FakeMachine)>;

/// Panics when it is touched while it runs, as QEMU would stop silently.
#[derive(Default)]
pub(crate) struct FakeMachine {
    memory: BTreeMap<u32, u8>,
    registers: BTreeMap<Register, u32>,
    stops: VecDeque<Stop>,
    on_step: Option<Script>,
    asleep: bool,
    resets: u64,
    pub(crate) running: bool,
    pub(crate) breakpoints: BTreeSet<u32>,
    pub(crate) device_writes: Vec<(u32, Vec<u8>)>,
    pub(crate) resumes: usize,
    pub(crate) interrupts: usize,
    pub(crate) steps: usize,
}

impl FakeMachine {
    pub(crate) fn put_words(&mut self, address: u32, words: &[u32]) {
        for (at, byte) in (address..).zip(words.iter().flat_map(|word| word.to_le_bytes())) {
            self.memory.insert(at, byte);
        }
    }

    pub(crate) fn set(&mut self, register: Register, value: u32) {
        self.registers.insert(register, value);
    }

    pub(crate) fn get(&self, register: Register) -> u32 {
        self.registers.get(&register).copied().unwrap_or_default()
    }

    /// What the next steps do.
    pub(crate) fn on_step(&mut self, script: impl FnMut(&mut Self) + 'static) {
        self.on_step = Some(Box::new(script));
    }

    /// Whether the core sleeps and steps nothing.
    pub(crate) fn sleeps(&mut self, asleep: bool) {
        self.asleep = asleep;
    }

    /// The program stops by itself, at an instruction.
    pub(crate) fn trap_at(&mut self, pc: u32) {
        self.set(Register::PC, pc);
        self.running = false;
        self.stops.push_back(TRAPPED);
    }

    /// The program resets itself.
    pub(crate) fn reset_by_guest(&mut self) {
        self.resets += 1;
    }

    fn assert_still(&self) {
        assert!(!self.running, "touched while it runs");
    }
}

impl Machine for FakeMachine {
    fn read_memory(&mut self, address: u32, length: usize) -> Result<Vec<u8>, LinkError> {
        self.assert_still();
        let byte = |at: u32| self.memory.get(&at).copied();
        let bytes: Option<Vec<u8>> =
            (0..length as u32).map(|index| byte(address.wrapping_add(index))).collect();
        bytes.ok_or_else(|| LinkError::Refused(format!("a read at {address:#x}")))
    }

    fn write_memory(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.assert_still();
        self.memory.extend((address..).zip(bytes.iter().copied()));
        Ok(())
    }

    fn write_device(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.assert_still();
        self.device_writes.push((address, bytes.to_vec()));
        Ok(())
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.assert_still();
        Ok(self.get(register))
    }

    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.assert_still();
        self.set(register, value);
        Ok(())
    }

    fn set_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.assert_still();
        assert!(self.breakpoints.insert(address), "set twice: {address:#x}");
        Ok(())
    }

    fn clear_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.assert_still();
        assert!(self.breakpoints.remove(&address), "cleared, but not set: {address:#x}");
        Ok(())
    }

    fn resume(&mut self) -> Result<(), LinkError> {
        self.assert_still();
        self.running = true;
        self.resumes += 1;
        Ok(())
    }

    fn step(&mut self, _limit: Duration) -> Result<Option<Stop>, LinkError> {
        self.assert_still();
        self.steps += 1;
        if self.asleep {
            self.running = true;
            return Ok(None);
        }
        match self.on_step.take() {
            Some(mut script) => {
                script(self);
                self.on_step = Some(script);
            }
            None => self.set(Register::PC, self.get(Register::PC).wrapping_add(2)),
        }
        Ok(Some(TRAPPED))
    }

    fn interrupt(&mut self) -> Result<Stop, LinkError> {
        self.interrupts += 1;
        self.running = false;
        Ok(self.stops.pop_front().unwrap_or(INTERRUPTED))
    }

    fn poll_stop(&mut self) -> Result<Option<Stop>, LinkError> {
        Ok(self.stops.pop_front())
    }

    fn system_reset(&mut self) -> Result<(), LinkError> {
        self.assert_still();
        self.resets += 1;
        Ok(())
    }

    fn resets(&self) -> u64 {
        self.resets
    }
}
