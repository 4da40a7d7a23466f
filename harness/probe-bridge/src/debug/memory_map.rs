//! The core's address space as the access port sees it: debug registers here, all else in the machine.
//!
//! ARMv7-M B3.1. Device registers take the physical way and the private peripheral bus takes the core's own stores,
//! because the stub's writes reach neither. ARMv8-M boards map devices twice, by security, which only the core sees: there
//! device registers take the core's stores too.

use super::core::{Core, RunState};
use super::dhcsr::{demcr, dfsr};
use super::fpb;
use super::inject::Injection;
use super::machine::Machine;
use crate::adi::bus::{Bus, Width};
use crate::config::CoreKind;
use crate::link_error::LinkError;

const AIRCR: u32 = 0xE000_ED0C;
const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const FPB_END: u32 = fpb::BASE + 0xFFF;

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    Memory,
    Device,
    PrivatePeripheralBus,
}

impl Region {
    fn of(address: u32) -> Self {
        match address {
            0x4000_0000..=0x5FFF_FFFF | 0xA000_0000..=0xDFFF_FFFF => Self::Device,
            0xE000_0000..=0xE00F_FFFF => Self::PrivatePeripheralBus,
            _ => Self::Memory,
        }
    }
}

impl<M: Machine> Bus for Core<M> {
    fn read(&mut self, address: u32, width: Width, count: usize) -> Result<Vec<u32>, LinkError> {
        let addresses = width.addresses(address, count);
        if Region::of(address) == Region::PrivatePeripheralBus {
            return addresses.map(|at| self.read_private(at, width)).collect();
        }
        self.stand_still()?;
        let bytes = self.machine.read_memory(address, count * width.bytes())?;
        Ok(bytes.chunks(width.bytes()).map(little_endian).collect())
    }

    fn write(&mut self, address: u32, width: Width, values: &[u32]) -> Result<(), LinkError> {
        let targets = width.addresses(address, values.len()).zip(values);
        if Region::of(address) == Region::PrivatePeripheralBus {
            return targets.into_iter().try_for_each(|(at, value)| self.write_private(at, width, *value));
        }
        self.stand_still()?;
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(width.bytes())).collect();
        match (Region::of(address), self.kind) {
            (Region::Device, CoreKind::Armv8m) => {
                targets.into_iter().try_for_each(|(at, value)| self.store(at, width, *value))
            }
            (Region::Device, CoreKind::Armv7m) => self.machine.write_device(address, &bytes),
            _ => self.write_memory(address, &bytes),
        }
    }
}

impl<M: Machine> Core<M> {
    fn read_private(&mut self, address: u32, width: Width) -> Result<u32, LinkError> {
        let word = match address & !3 {
            DHCSR => self.read_dhcsr()?,
            DCRSR => 0,
            DCRDR => self.dcrdr,
            DEMCR => self.demcr,
            DFSR => self.dfsr,
            at @ fpb::BASE..=FPB_END => self.fpb.read(at - fpb::BASE),
            at if is_constant(at) => self.read_constant(at)?,
            _ => {
                self.stand_still()?;
                let bytes = self.machine.read_memory(address, width.bytes())?;
                return Ok(little_endian(&bytes));
            }
        };
        Ok(word >> (8 * (address & 3)) & width.mask())
    }

    /// Identification does not change: a running machine is stopped for it once.
    fn read_constant(&mut self, address: u32) -> Result<u32, LinkError> {
        if let Some(word) = self.constants.get(&address) {
            return Ok(*word);
        }
        self.stand_still()?;
        let word = self.machine.read_word(address)?;
        self.constants.insert(address, word);
        Ok(word)
    }

    fn write_private(&mut self, address: u32, width: Width, value: u32) -> Result<(), LinkError> {
        let is_debug = matches!(address & !3, DHCSR | DCRSR | DCRDR | DEMCR | DFSR | fpb::BASE..=FPB_END);
        if is_debug && width != Width::Word {
            return Err(LinkError::Refused(format!("a part of the debug register at {address:#x}")));
        }
        match address {
            DHCSR => self.write_dhcsr(value),
            DCRSR => self.transfer_register(value),
            DCRDR => {
                self.dcrdr = value;
                Ok(())
            }
            DEMCR => self.write_demcr(value),
            DFSR => {
                self.dfsr &= !value & dfsr::ALL;
                Ok(())
            }
            fpb::BASE..=FPB_END => self.write_fpb(address - fpb::BASE, value),
            AIRCR if requests_reset(value) => self.reset(),
            _ => {
                self.stand_still()?;
                self.store(address, width, value)
            }
        }
    }

    /// The stub loses writes to where nothing is without a word, but refuses to read from there.
    fn write_memory(&mut self, address: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.machine.write_memory(address, bytes)?;
        let last = address.wrapping_add(bytes.len() as u32).wrapping_sub(1);
        self.machine.read_memory(last, 1).map(drop)
    }

    fn write_demcr(&mut self, value: u32) -> Result<(), LinkError> {
        const CAUGHT: u32 = demcr::VC_CORERESET | demcr::VC_HARDERR;
        let changed = (self.demcr ^ value) & CAUGHT != 0;
        self.demcr = value;
        if changed { self.rearm() } else { Ok(()) }
    }

    fn write_fpb(&mut self, offset: u32, value: u32) -> Result<(), LinkError> {
        let before = self.fpb.clone();
        self.fpb.write(offset, value);
        if before == self.fpb { Ok(()) } else { self.rearm() }
    }

    /// A store by the core itself.
    fn store(&mut self, address: u32, width: Width, value: u32) -> Result<(), LinkError> {
        if self.state == RunState::InReset {
            return Err(LinkError::Refused(format!("a store to {address:#x} by a core in reset")));
        }
        let stored = self.execute(Injection::store(address, value, width.bytes() as u32))?;
        stored
            .map(drop)
            .ok_or_else(|| LinkError::Refused(format!("a store to {address:#x} by a core that sleeps")))
    }
}

/// CPUID, the feature registers, and those of floating point.
fn is_constant(address: u32) -> bool {
    matches!(address, 0xE000_ED00 | 0xE000_ED40..=0xE000_ED7C | 0xE000_EF40..=0xE000_EF48)
}

/// SYSRESETREQ or VECTRESET with the key.
fn requests_reset(aircr: u32) -> bool {
    const KEY: u32 = 0x05FA;
    const VECTRESET: u32 = 1 << 0;
    const SYSRESETREQ: u32 = 1 << 2;
    aircr >> 16 == KEY && aircr & (SYSRESETREQ | VECTRESET) != 0
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}
