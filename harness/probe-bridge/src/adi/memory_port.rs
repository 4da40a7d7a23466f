//! A memory access port of an AHB: ADIv5.2, chapter C2, as the Cortex-M3's (DDI 0337).
//!
//! Runs of data transfers become one access of the bus each; addresses count up within one kilobyte, as on silicon.

use super::bus::{Bus, Width};
use crate::link_error::LinkError;

/// Registers by bank and address.
mod register {
    pub(super) const CSW: u8 = 0x00;
    pub(super) const TAR: u8 = 0x04;
    pub(super) const DRW: u8 = 0x0C;
    pub(super) const BD0: u8 = 0x10;
    pub(super) const BD3: u8 = 0x1C;
    pub(super) const BASE: u8 = 0xF8;
    pub(super) const IDR: u8 = 0xFC;
}

/// An AHB-AP by Arm.
const IDR: u32 = 0x2477_0011;
/// The ROM table's place; present, in the format of ADIv5.
const BASE: u32 = 0xE00F_F003;

const CSW_SIZE: u32 = 0x7;
const CSW_INCREMENT: u32 = 0x30;
const CSW_INCREMENT_SINGLE: u32 = 0x10;
/// The port can issue transfers.
const CSW_DEVICE_ENABLED: u32 = 1 << 6;
const CSW_IN_PROGRESS: u32 = 1 << 7;
/// DbgSwEnable, protection and master type as after power-up; word size.
const CSW_AT_POWER_UP: u32 = 0x2300_0002;

/// Addresses count up in their lowest ten bits only.
const INCREMENT_BYTES: u32 = 0x400;

/// The port's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryPort {
    csw: u32,
    tar: u32,
}

impl Default for MemoryPort {
    fn default() -> Self {
        Self { csw: CSW_AT_POWER_UP, tar: 0 }
    }
}

/// Whether a register moves data: runs of such transfers go together.
pub(crate) fn moves_data(register: u8) -> bool {
    register == register::DRW
}

impl MemoryPort {
    /// Reads a register `count` times. What is not there reads as zero.
    pub(crate) fn read(
        &mut self,
        register: u8,
        count: usize,
        bus: &mut impl Bus,
    ) -> Result<Vec<u32>, LinkError> {
        let word = match register {
            register::CSW => self.csw & !CSW_IN_PROGRESS | CSW_DEVICE_ENABLED,
            register::TAR => self.tar,
            register::DRW => return self.read_data(count, bus),
            register::BD0..=register::BD3 => return bus.read(self.banked(register), Width::Word, 1),
            register::BASE => BASE,
            register::IDR => IDR,
            _ => 0,
        };
        Ok(vec![word; count])
    }

    /// Writes a register once for each value. What is not there or cannot be written ignores it.
    pub(crate) fn write(
        &mut self,
        register: u8,
        values: &[u32],
        bus: &mut impl Bus,
    ) -> Result<(), LinkError> {
        let Some(last) = values.last() else { return Ok(()) };
        match register {
            register::CSW => self.csw = *last,
            register::TAR => self.tar = *last,
            register::DRW => return self.write_data(values, bus),
            register::BD0..=register::BD3 => return bus.write(self.banked(register), Width::Word, values),
            _ => {}
        }
        Ok(())
    }

    fn banked(&self, register: u8) -> u32 {
        self.tar & !0xF | u32::from(register - register::BD0)
    }

    fn width(&self) -> Result<Width, LinkError> {
        match self.csw & CSW_SIZE {
            0 => Ok(Width::Byte),
            1 => Ok(Width::Halfword),
            2 => Ok(Width::Word),
            size => Err(LinkError::Refused(format!("transfers of size {size}"))),
        }
    }

    fn read_data(&mut self, count: usize, bus: &mut impl Bus) -> Result<Vec<u32>, LinkError> {
        let width = self.width()?;
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            let (address, length) = self.next_run(width, count - values.len());
            let run = bus.read(address, width, length)?;
            let lanes = width.addresses(address, length).map(lane_shift);
            values.extend(run.into_iter().zip(lanes).map(|(value, shift)| value << shift));
            self.advance(width, length);
        }
        Ok(values)
    }

    fn write_data(&mut self, values: &[u32], bus: &mut impl Bus) -> Result<(), LinkError> {
        let width = self.width()?;
        let mut rest = values;
        while !rest.is_empty() {
            let (address, length) = self.next_run(width, rest.len());
            let (run, after) = rest.split_at(length);
            let lanes = width.addresses(address, length).map(lane_shift);
            let run: Vec<u32> =
                run.iter().zip(lanes).map(|(value, shift)| value >> shift & width.mask()).collect();
            bus.write(address, width, &run)?;
            self.advance(width, length);
            rest = after;
        }
        Ok(())
    }

    /// As many of the next accesses as follow each other in memory.
    fn next_run(&self, width: Width, count: usize) -> (u32, usize) {
        let address = self.tar & !(width.bytes() as u32 - 1);
        if self.csw & CSW_INCREMENT != CSW_INCREMENT_SINGLE {
            return (address, 1);
        }
        let until_wrap = (INCREMENT_BYTES - address % INCREMENT_BYTES) as usize / width.bytes();
        (address, count.min(until_wrap))
    }

    fn advance(&mut self, width: Width, count: usize) {
        if self.csw & CSW_INCREMENT == CSW_INCREMENT_SINGLE {
            let low = self.tar.wrapping_add((count * width.bytes()) as u32) % INCREMENT_BYTES;
            self.tar = self.tar & !(INCREMENT_BYTES - 1) | low;
        }
    }
}

/// Narrow values travel in the byte lane of their address.
fn lane_shift(address: u32) -> u32 {
    8 * (address & 3)
}

#[cfg(test)]
mod tests {
    use super::super::bus::fake::FakeBus;
    use super::*;

    const AT: u32 = 0x2000_0000;

    fn port(size: u32, increment: u32, tar: u32) -> MemoryPort {
        MemoryPort { csw: size | increment, tar }
    }

    #[test]
    fn words_that_follow_each_other_are_one_access() {
        let mut bus = FakeBus::with(AT, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        let mut port = port(2, CSW_INCREMENT_SINGLE, AT);
        assert_eq!(port.read(register::DRW, 3, &mut bus).unwrap(), [1, 2, 3]);
        assert_eq!((bus.reads, port.tar), (vec![(AT, 3)], AT + 12));
    }

    #[test]
    fn addresses_wrap_within_a_kilobyte() {
        let mut bus = FakeBus::with(AT, &[7; 0x400]);
        let mut port = port(2, CSW_INCREMENT_SINGLE, AT + 0x3FC);
        port.read(register::DRW, 2, &mut bus).unwrap();
        assert_eq!((bus.reads, port.tar), (vec![(AT + 0x3FC, 1), (AT, 1)], AT + 4));
    }

    #[test]
    fn bytes_travel_in_the_lane_of_their_address() {
        let mut bus = FakeBus::with(AT, &[1, 2, 3, 4]);
        let mut port = port(0, CSW_INCREMENT_SINGLE, AT + 1);
        assert_eq!(port.read(register::DRW, 2, &mut bus).unwrap(), [2 << 8, 3 << 16]);
        port.write(register::TAR, &[AT + 2], &mut bus).unwrap();
        port.write(register::DRW, &[0xAA << 16, 0xBB << 24], &mut bus).unwrap();
        assert_eq!(bus.bytes.into_values().collect::<Vec<_>>(), [1, 2, 0xAA, 0xBB]);
    }

    #[test]
    fn without_increment_the_same_address_is_accessed_again() {
        let mut bus = FakeBus::with(AT, &[5, 0, 0, 0]);
        let mut port = port(2, 0, AT);
        assert_eq!(port.read(register::DRW, 2, &mut bus).unwrap(), [5, 5]);
        assert_eq!(bus.reads, [(AT, 1), (AT, 1)]);
    }

    #[test]
    fn banked_data_registers_lie_around_the_address() {
        let mut bus = FakeBus::with(AT, &[0, 0, 0, 0, 9, 0, 0, 0]);
        let mut port = port(2, 0, AT + 8);
        assert_eq!(port.read(0x14, 1, &mut bus).unwrap(), [9]);
        assert_eq!(port.tar, AT + 8);
    }

    #[test]
    fn a_size_that_the_bus_has_not_is_a_fault() {
        let refused = port(3, 0, AT).read(register::DRW, 1, &mut FakeBus::default());
        assert!(matches!(refused, Err(LinkError::Refused(_))));
    }

    #[test]
    fn identification_is_an_ahb_port_with_a_rom_table() {
        let (mut port, mut bus) = (MemoryPort::default(), FakeBus::default());
        assert_eq!(port.read(register::IDR, 1, &mut bus).unwrap(), [0x2477_0011]);
        assert_eq!(port.read(register::BASE, 1, &mut bus).unwrap(), [0xE00F_F003]);
    }
}
