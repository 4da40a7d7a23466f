//! The debug port: ADIv5.2, chapter B2, and the transfers that it carries out.
//!
//! Reads of the access port are posted: each returns what the one before it read. A fault is sticky: until ABORT clears
//! it, every transfer of the access port faults.

use super::bus::Bus;
use super::memory_port::{self, MemoryPort};
use crate::link_error::LinkError;

/// A request on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// To the access port, else to the debug port.
    pub(crate) access_port: bool,
    /// Bits 2 and 3 of the register's address.
    pub(crate) address: u8,
    /// What to write; `None` is a read.
    pub(crate) write: Option<u32>,
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// A read was done.
    Data(u32),
    /// A write was done.
    Written,
    /// Not done; a fault is sticky.
    Fault,
}

/// A debug port of version 1 by Arm.
const DPIDR: u32 = 0x2BA0_1477;

mod register {
    /// DPIDR for reads, ABORT for writes.
    pub(super) const DPIDR_ABORT: u8 = 0x0;
    pub(super) const CTRL_STAT: u8 = 0x4;
    /// RESEND for reads, SELECT for writes.
    pub(super) const RESEND_SELECT: u8 = 0x8;
    pub(super) const RDBUFF: u8 = 0xC;
}

/// The power-up requests; their acknowledgements are one bit further up.
const POWER_UP_REQUESTS: u32 = 1 << 28 | 1 << 30;
const STICKY_ERROR: u32 = 1 << 5;
const ABORT_CLEARS_STICKY_ERROR: u32 = 1 << 2;
/// Bits of CTRL/STAT that are kept as written.
const CTRL_KEPT: u32 = POWER_UP_REQUESTS | 0x00FF_FF0D;

/// The port's registers, with the access port behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DebugPort {
    select: u32,
    control: u32,
    sticky_error: bool,
    posted: u32,
    memory_port: MemoryPort,
}

impl DebugPort {
    /// Carries out the transfers in order until one faults; the answers end with that fault.
    pub(crate) fn carry_out(
        &mut self,
        transfers: &[Transfer],
        bus: &mut impl Bus,
    ) -> Result<Vec<Response>, LinkError> {
        let mut responses = Vec::with_capacity(transfers.len());
        let mut rest = transfers;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(self.run_length(rest));
            rest = after;
            match self.carry_out_run(run, bus) {
                Ok(done) => responses.extend(done),
                Err(LinkError::Refused(_)) => {
                    self.sticky_error = true;
                    responses.push(Response::Fault);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(responses)
    }

    /// Clears a sticky fault, as the Glasgow's applet does by itself after it has reported one: its driver never does.
    pub(crate) fn clear_fault(&mut self) {
        self.sticky_error = false;
    }

    /// How many of the next transfers are like the first and move data.
    fn run_length(&self, transfers: &[Transfer]) -> usize {
        let alike = |first: &Transfer, other: &Transfer| {
            (first.access_port, first.address, first.write.is_some())
                == (other.access_port, other.address, other.write.is_some())
        };
        match transfers.first() {
            Some(first)
                if first.access_port && memory_port::moves_data(self.port_register(first.address)) =>
            {
                transfers.iter().take_while(|other| alike(first, other)).count()
            }
            _ => 1,
        }
    }

    fn carry_out_run(&mut self, run: &[Transfer], bus: &mut impl Bus) -> Result<Vec<Response>, LinkError> {
        let Some(first) = run.first() else { return Ok(Vec::new()) };
        let written: Vec<u32> = run.iter().filter_map(|transfer| transfer.write).collect();
        match (first.access_port, first.write) {
            (false, None) => Ok(vec![Response::Data(self.read(first.address))]),
            (false, Some(value)) => {
                self.write(first.address, value);
                Ok(vec![Response::Written])
            }
            (true, _) if self.sticky_error => Err(LinkError::Refused("a transfer after a fault".into())),
            (true, None) => {
                let values = self.read_port(first.address, run.len(), bus)?;
                Ok(values.into_iter().map(|value| Response::Data(self.post(value))).collect())
            }
            (true, Some(_)) => {
                self.write_port(first.address, &written, bus)?;
                Ok(vec![Response::Written; written.len()])
            }
        }
    }

    fn post(&mut self, value: u32) -> u32 {
        std::mem::replace(&mut self.posted, value)
    }

    fn read(&self, address: u8) -> u32 {
        match address {
            register::DPIDR_ABORT => DPIDR,
            register::CTRL_STAT if self.select & 0xF == 0 => self.control_status(),
            register::RESEND_SELECT | register::RDBUFF => self.posted,
            _ => 0,
        }
    }

    fn control_status(&self) -> u32 {
        let acknowledged = (self.control & POWER_UP_REQUESTS) << 1;
        self.control | acknowledged | if self.sticky_error { STICKY_ERROR } else { 0 }
    }

    fn write(&mut self, address: u8, value: u32) {
        match address {
            register::DPIDR_ABORT if value & ABORT_CLEARS_STICKY_ERROR != 0 => self.sticky_error = false,
            register::CTRL_STAT if self.select & 0xF == 0 => self.control = value & CTRL_KEPT,
            register::RESEND_SELECT => self.select = value,
            _ => {}
        }
    }

    /// The access port's register: the bank is selected, the rest is in the request.
    fn port_register(&self, address: u8) -> u8 {
        (self.select & 0xF0) as u8 | address
    }

    /// There is one access port, number 0; the others read as zero, which says that they are absent.
    fn port(&mut self) -> Option<&mut MemoryPort> {
        (self.select >> 24 == 0).then_some(&mut self.memory_port)
    }

    fn read_port(&mut self, address: u8, count: usize, bus: &mut impl Bus) -> Result<Vec<u32>, LinkError> {
        let register = self.port_register(address);
        match self.port() {
            Some(port) => port.read(register, count, bus),
            None => Ok(vec![0; count]),
        }
    }

    fn write_port(&mut self, address: u8, values: &[u32], bus: &mut impl Bus) -> Result<(), LinkError> {
        let register = self.port_register(address);
        match self.port() {
            Some(port) => port.write(register, values, bus),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bus::fake::FakeBus;
    use super::*;

    const AT: u32 = 0x2000_0000;

    fn read(access_port: bool, address: u8) -> Transfer {
        Transfer { access_port, address, write: None }
    }

    fn write(access_port: bool, address: u8, value: u32) -> Transfer {
        Transfer { access_port, address, write: Some(value) }
    }

    #[test]
    fn the_port_identifies_itself_and_powers_up() {
        let mut port = DebugPort::default();
        let transfers = [read(false, 0), write(false, 4, 0x5000_0000), read(false, 4)];
        let responses = port.carry_out(&transfers, &mut FakeBus::default()).unwrap();
        assert_eq!(responses, [Response::Data(DPIDR), Response::Written, Response::Data(0xF000_0000)]);
    }

    #[test]
    fn reads_of_the_access_port_are_posted() {
        let mut bus = FakeBus::with(AT, &[1, 0, 0, 0, 2, 0, 0, 0]);
        let mut port = DebugPort::default();
        let set_up = [write(true, 0, 0x2300_0012), write(true, 4, AT)];
        port.carry_out(&set_up, &mut bus).unwrap();
        let reads = [read(true, 0xC), read(true, 0xC), read(false, 0xC)];
        let responses = port.carry_out(&reads, &mut bus).unwrap();
        assert_eq!(responses, [Response::Data(0), Response::Data(1), Response::Data(2)]);
        assert_eq!(bus.reads, [(AT, 2)]);
    }

    #[test]
    fn a_fault_is_sticky_and_ends_the_batch_until_it_is_cleared() {
        let mut bus = FakeBus::default();
        let mut port = DebugPort::default();
        let batch = [write(true, 4, 0x9000_0000), read(true, 0xC), read(false, 0xC), read(false, 0)];
        assert_eq!(port.carry_out(&batch, &mut bus).unwrap(), [Response::Written, Response::Fault]);
        assert_eq!(port.carry_out(&[read(true, 0)], &mut bus).unwrap(), [Response::Fault]);
        let status = port.carry_out(&[read(false, 4)], &mut bus).unwrap();
        assert_eq!(status, [Response::Data(STICKY_ERROR)]);
        port.carry_out(&[write(false, 0, ABORT_CLEARS_STICKY_ERROR)], &mut bus).unwrap();
        let read_again = port.carry_out(&[read(true, 0)], &mut bus).unwrap();
        assert!(matches!(read_again[..], [Response::Data(_)]));
        port.carry_out(&batch, &mut bus).unwrap();
        port.clear_fault();
        assert_eq!(port.carry_out(&[read(false, 4)], &mut bus).unwrap(), [Response::Data(0)]);
    }

    #[test]
    fn other_access_ports_are_absent() {
        let mut port = DebugPort::default();
        let batch = [write(false, 8, 0x0100_00F0), read(true, 0xC), read(false, 0xC)];
        let responses = port.carry_out(&batch, &mut FakeBus::default()).unwrap();
        assert_eq!(responses[2], Response::Data(0));
    }

    #[test]
    fn the_identification_register_is_in_the_last_bank() {
        let mut port = DebugPort::default();
        let batch = [write(false, 8, 0xF0), read(true, 0xC), read(false, 0xC)];
        let responses = port.carry_out(&batch, &mut FakeBus::default()).unwrap();
        assert_eq!(responses[2], Response::Data(0x2477_0011));
    }

    proptest! {
        #[test]
        fn arbitrary_transfers_never_panic(
            transfers in prop::collection::vec((any::<bool>(), 0u8..4, any::<Option<u32>>()), 0..60),
        ) {
            let transfers: Vec<Transfer> = transfers
                .into_iter()
                .map(|(access_port, register, write)| Transfer { access_port, address: register << 2, write })
                .collect();
            let responses = DebugPort::default().carry_out(&transfers, &mut FakeBus::with(AT, &[0; 64])).unwrap();
            prop_assert!(responses.len() <= transfers.len());
        }
    }
}
