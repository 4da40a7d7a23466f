//! What the debug hardware needs of the emulator, and QEMU as that.

use std::sync::Arc;
use std::time::Duration;

use crate::gdb::client::{Client, Stop};
use crate::link_error::LinkError;
use crate::qmp::monitor::Events;

/// A register of the remote protocol, by the name that the target description gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Register {
    /// R0 to R15.
    Core(u8),
    /// The combined program status register.
    Xpsr,
    /// Half of a double-precision register: S0 to S31.
    Single(u8),
    /// Floating-point status and control.
    Fpscr,
}

impl Register {
    /// R0.
    pub(crate) const R0: Self = Self::Core(0);
    /// R1.
    pub(crate) const R1: Self = Self::Core(1);
    /// The stack pointer in use.
    pub(crate) const SP: Self = Self::Core(13);
    /// The link register.
    pub(crate) const LR: Self = Self::Core(14);
    /// The program counter.
    pub(crate) const PC: Self = Self::Core(15);
}

/// An emulated machine with one core. Memory, registers and breakpoints may be touched only while it stands still.
pub(crate) trait Machine {
    fn read_memory(&mut self, address: u32, length: usize) -> Result<Vec<u8>, LinkError>;
    fn write_memory(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError>;
    /// Writes registers of devices, by physical address.
    fn write_device(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError>;
    fn read_register(&mut self, register: Register) -> Result<u32, LinkError>;
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError>;
    fn set_breakpoint(&mut self, address: u32) -> Result<(), LinkError>;
    fn clear_breakpoint(&mut self, address: u32) -> Result<(), LinkError>;
    fn resume(&mut self) -> Result<(), LinkError>;
    /// Executes one instruction; `None` if the core executed none within the limit and still tries.
    fn step(&mut self, limit: Duration) -> Result<Option<Stop>, LinkError>;
    /// Stops the running machine; the stop may be of another cause that came first.
    fn interrupt(&mut self) -> Result<Stop, LinkError>;
    fn poll_stop(&mut self) -> Result<Option<Stop>, LinkError>;
    /// Resets a machine that stands still, which it does afterwards too.
    fn system_reset(&mut self) -> Result<(), LinkError>;
    /// Resets so far, whoever caused them.
    fn resets(&self) -> u64;

    /// A word of memory.
    fn read_word(&mut self, address: u32) -> Result<u32, LinkError> {
        let bytes = self.read_memory(address, 4)?;
        let word = bytes.try_into().map_err(|_| LinkError::Garbled("less than a word".into()))?;
        Ok(u32::from_le_bytes(word))
    }

    /// A half-word of memory.
    fn read_halfword(&mut self, address: u32) -> Result<u16, LinkError> {
        let bytes = self.read_memory(address, 2)?;
        let halfword = bytes.try_into().map_err(|_| LinkError::Garbled("less than a half-word".into()))?;
        Ok(u16::from_le_bytes(halfword))
    }
}

/// QEMU through its gdbstub, with the resets that QMP tells.
#[derive(Debug)]
pub(crate) struct Qemu {
    client: Client,
    events: Arc<Events>,
    reply_limit: Duration,
}

impl Qemu {
    pub(crate) fn new(client: Client, events: Arc<Events>, reply_limit: Duration) -> Self {
        Self { client, events, reply_limit }
    }

    fn number(&self, register: Register) -> Result<u32, LinkError> {
        let name = match register {
            Register::Core(13) => "sp".to_owned(),
            Register::Core(14) => "lr".to_owned(),
            Register::Core(15) => "pc".to_owned(),
            Register::Core(number) => format!("r{number}"),
            Register::Xpsr => "xpsr".to_owned(),
            Register::Single(number) => format!("d{}", number / 2),
            Register::Fpscr => "fpscr".to_owned(),
        };
        let number = self.client.registers().number(&name);
        number.ok_or_else(|| LinkError::Refused(format!("a register {name}")))
    }
}

/// Where a register's four bytes are in what the stub calls one register.
fn place(register: Register) -> usize {
    match register {
        Register::Single(number) if number % 2 == 1 => 4,
        _ => 0,
    }
}

impl Machine for Qemu {
    fn read_memory(&mut self, address: u32, length: usize) -> Result<Vec<u8>, LinkError> {
        self.client.read_memory(address, length)
    }

    fn write_memory(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.client.write_memory(address, bytes)
    }

    fn write_device(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.client.write_physical(address, bytes)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        let bytes = self.client.read_register(self.number(register)?)?;
        let value = bytes.get(place(register)..).and_then(|rest| rest.first_chunk());
        let value =
            value.ok_or_else(|| LinkError::Garbled(format!("{} bytes of {register:?}", bytes.len())))?;
        Ok(u32::from_le_bytes(*value))
    }

    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        let number = self.number(register)?;
        let bytes = value.to_le_bytes();
        if !matches!(register, Register::Single(_)) {
            return self.client.write_register(number, &bytes);
        }
        let mut whole = self.client.read_register(number)?;
        let half = whole.get_mut(place(register)..).and_then(|rest| rest.first_chunk_mut());
        *half.ok_or_else(|| LinkError::Garbled(format!("a short {register:?}")))? = bytes;
        self.client.write_register(number, &whole)
    }

    fn set_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.client.set_breakpoint(address)
    }

    fn clear_breakpoint(&mut self, address: u32) -> Result<(), LinkError> {
        self.client.clear_breakpoint(address)
    }

    fn resume(&mut self) -> Result<(), LinkError> {
        self.client.resume()
    }

    fn step(&mut self, limit: Duration) -> Result<Option<Stop>, LinkError> {
        self.client.step(limit)
    }

    fn interrupt(&mut self) -> Result<Stop, LinkError> {
        self.client.interrupt()
    }

    fn poll_stop(&mut self) -> Result<Option<Stop>, LinkError> {
        self.client.poll_stop()
    }

    fn system_reset(&mut self) -> Result<(), LinkError> {
        let seen = self.events.resets();
        self.client.monitor("system_reset")?;
        self.events.await_reset(seen, self.reply_limit)
    }

    fn resets(&self) -> u64 {
        self.events.resets()
    }
}
