//! The registers of a core dump.

use probe_rs::{CoreDump, RegisterId, RegisterValue};

use super::unwind::Registers;
use crate::Word;

/// Numbers by which debug hardware knows registers: ARMv7-M C1.6.3.
const XPSR: u16 = 16;
pub(super) const MSP: u16 = 17;
pub(super) const PSP: u16 = 18;
/// CONTROL, FAULTMASK, BASEPRI and PRIMASK, from the highest byte on.
const EXTRA: u16 = 20;

fn register(dump: &CoreDump, number: u16) -> u32 {
    match dump.registers.get(&RegisterId(number)) {
        Some(RegisterValue::U32(value)) => *value,
        _ => 0,
    }
}

/// By PRIMASK or FAULTMASK.
pub(super) fn interrupts_masked(dump: &CoreDump) -> bool {
    register(dump, EXTRA) & 0x00FF_00FF != 0
}

/// What unwinding begins with.
pub(super) fn registers(dump: &CoreDump) -> Registers {
    let mut r = [0; 16];
    for (number, value) in (0..).zip(&mut r) {
        *value = register(dump, number);
    }
    Registers { r, psp: register(dump, PSP), xpsr: register(dump, XPSR) }
}

/// All of them by name.
pub(super) fn named(dump: &CoreDump) -> Vec<(String, Word)> {
    let mut named = Vec::new();
    for number in 0..13 {
        named.push((format!("r{number}"), Word(register(dump, number))));
    }
    for (name, number) in [("sp", 13), ("lr", 14), ("pc", 15), ("xpsr", XPSR), ("msp", MSP), ("psp", PSP)] {
        named.push((name.to_owned(), Word(register(dump, number))));
    }
    let extra = register(dump, EXTRA).to_be_bytes();
    for (name, value) in ["control", "faultmask", "basepri", "primask"].into_iter().zip(extra) {
        named.push((name.to_owned(), Word(u32::from(value))));
    }
    named
}
