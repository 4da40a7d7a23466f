//! The fault status registers of an Arm processor of profile M, in words. ARMv7-M B3.2.15 to B3.2.20 and C1.6.1;
//! ARMv8-M D1.2.

use serde::Serialize;

use super::Word;

/// One bit and what it says.
struct Bit(u32, &'static str, &'static str);

const MMARVALID: u32 = 1 << 7;
const BFARVALID: u32 = 1 << 15;
/// The exception frame was not written, or not whole.
const STACKING: u32 = 1 << 4 | 1 << 5 | 1 << 12 | 1 << 13 | 1 << 20;

const CFSR: [Bit; 18] = [
    Bit(1 << 0, "IACCVIOL", "an instruction was fetched from where none may be"),
    Bit(1 << 1, "DACCVIOL", "a forbidden access to data"),
    Bit(1 << 3, "MUNSTKERR", "a forbidden access while returning from an exception"),
    Bit(1 << 4, "MSTKERR", "a forbidden access while entering an exception: the stack has overflowed"),
    Bit(1 << 5, "MLSPERR", "a forbidden access while saving floating-point registers"),
    Bit(1 << 8, "IBUSERR", "an instruction was fetched from where nothing is"),
    Bit(1 << 9, "PRECISERR", "an access to where nothing is"),
    Bit(1 << 10, "IMPRECISERR", "an earlier write to where nothing is"),
    Bit(1 << 11, "UNSTKERR", "nothing is where the stack should be, while returning from an exception"),
    Bit(1 << 12, "STKERR", "nothing is where the stack should be, while entering an exception"),
    Bit(1 << 13, "LSPERR", "nothing is where floating-point registers should be saved"),
    Bit(1 << 16, "UNDEFINSTR", "an undefined instruction"),
    Bit(1 << 17, "INVSTATE", "a jump to code that is not Thumb"),
    Bit(1 << 18, "INVPC", "a return from an exception that is none"),
    Bit(1 << 19, "NOCP", "an instruction of a coprocessor that is absent or off"),
    Bit(1 << 20, "STKOF", "the stack went below its limit"),
    Bit(1 << 24, "UNALIGNED", "an access that is not aligned"),
    Bit(1 << 25, "DIVBYZERO", "a division by zero"),
];

const HFSR: [Bit; 3] = [
    Bit(1 << 1, "VECTTBL", "the vector table could not be read"),
    Bit(
        1 << 30,
        "FORCED",
        "another fault became a hard fault, because its own handler is off or may not run",
    ),
    Bit(1 << 31, "DEBUGEVT", "a breakpoint instruction and nobody to take it"),
];

const DFSR: [Bit; 5] = [
    Bit(1 << 0, "HALTED", "halted by request"),
    Bit(1 << 1, "BKPT", "halted at a breakpoint"),
    Bit(1 << 2, "DWTTRAP", "halted at a watchpoint"),
    Bit(1 << 3, "VCATCH", "halted by vector catch"),
    Bit(1 << 4, "EXTERNAL", "halted by a signal from outside"),
];

/// What the processor notes about faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    /// Configurable Fault Status Register.
    pub cfsr: Word,
    /// HardFault Status Register.
    pub hfsr: Word,
    /// Debug Fault Status Register.
    pub dfsr: Word,
    /// MemManage Fault Address Register.
    pub mmfar: Word,
    /// BusFault Address Register.
    pub bfar: Word,
}

impl FaultStatus {
    /// What went wrong, a line for each bit that is set.
    pub fn words(&self) -> Vec<String> {
        let mut said = Vec::new();
        let registers =
            [("CFSR", self.cfsr, &CFSR[..]), ("HFSR", self.hfsr, &HFSR[..]), ("DFSR", self.dfsr, &DFSR[..])];
        for (register, Word(value), bits) in registers {
            let set = bits.iter().filter(|Bit(bit, ..)| value & bit != 0);
            said.extend(set.map(|Bit(bit, name, meaning)| {
                let at = self.address(register, *bit).map(|at| format!(", at {at}")).unwrap_or_default();
                format!("{register}.{name}: {meaning}{at}")
            }));
        }
        said
    }

    /// The line that says most: what the access or the instruction was.
    pub fn headline(&self) -> Option<String> {
        let first = self.words().into_iter().find(|line| !line.starts_with("DFSR."))?;
        first.split_once(": ").map(|(_, meaning)| meaning.to_owned())
    }

    /// The processor could not save where it was.
    pub fn has_lost_its_frame(&self) -> bool {
        self.cfsr.0 & STACKING != 0
    }

    /// The address of the access, where its register holds one.
    fn address(&self, register: &str, bit: u32) -> Option<Word> {
        match (register, bit) {
            ("CFSR", 0b10) if self.cfsr.0 & MMARVALID != 0 => Some(self.mmfar),
            ("CFSR", 0x200) if self.cfsr.0 & BFARVALID != 0 => Some(self.bfar),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(cfsr: u32) -> FaultStatus {
        FaultStatus { cfsr: Word(cfsr), mmfar: Word(0), bfar: Word(0x9000_0000), ..FaultStatus::default() }
    }

    #[test]
    fn an_address_is_told_only_where_its_register_is_valid() {
        let said = status(1 << 1 | MMARVALID).words();
        assert_eq!(said, ["CFSR.DACCVIOL: a forbidden access to data, at 0x00000000"]);
        assert_eq!(status(1 << 1).words(), ["CFSR.DACCVIOL: a forbidden access to data"]);
        let said = status(1 << 9 | BFARVALID).words();
        assert_eq!(said, ["CFSR.PRECISERR: an access to where nothing is, at 0x90000000"]);
    }

    #[test]
    fn the_headline_is_the_cause_and_not_that_the_probe_halted() {
        let halted = FaultStatus { dfsr: Word(9), hfsr: Word(1 << 30), ..status(1 << 25) };
        assert_eq!(halted.headline().as_deref(), Some("a division by zero"));
        assert_eq!(halted.words().len(), 4);
        assert_eq!(FaultStatus { dfsr: Word(1), ..FaultStatus::default() }.headline(), None);
    }

    #[test]
    fn a_frame_that_could_not_be_written_is_not_trusted() {
        assert!(status(1 << 4).has_lost_its_frame());
        assert!(status(1 << 20).has_lost_its_frame());
        assert!(!status(1 << 1 | MMARVALID).has_lost_its_frame());
    }

    #[test]
    fn every_bit_has_one_name() {
        for bits in [&CFSR[..], &HFSR[..], &DFSR[..]] {
            for (at, Bit(bit, name, _)) in bits.iter().enumerate() {
                assert_eq!(bit.count_ones(), 1, "{name}");
                assert!(!bits[..at].iter().any(|Bit(other, ..)| other == bit), "{name}");
            }
        }
    }
}
