//! Flash Patch and Breakpoint unit, revision 2 without remapping: ARMv7-M C1.11, six comparators.

/// Where FP_CTRL is.
pub(crate) const BASE: u32 = 0xE000_2000;
/// Where FP_COMP0 is, from the base.
const COMPARATORS: u32 = 0x008;
const COUNT: usize = 6;
/// Revision in FP_CTRL's upper bits.
const REVISION_2: u32 = 1;
const ENABLE: u32 = 1 << 0;
/// A write of FP_CTRL without it is ignored.
const KEY: u32 = 1 << 1;

/// The unit's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fpb {
    enabled: bool,
    comparators: [u32; COUNT],
}

impl Fpb {
    /// A register, by its distance from the base. What is not there reads as zero.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        match comparator(offset) {
            Some(index) => self.comparators[index],
            None if offset == 0 => REVISION_2 << 28 | (COUNT as u32) << 4 | u32::from(self.enabled),
            None => 0,
        }
    }

    /// Writes a register, by its distance from the base. What is not there ignores it.
    pub(crate) fn write(&mut self, offset: u32, word: u32) {
        match comparator(offset) {
            Some(index) => self.comparators[index] = word,
            None if offset == 0 && word & KEY != 0 => self.enabled = word & ENABLE != 0,
            None => {}
        }
    }

    /// The instructions at which the core is to halt.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u32> {
        let armed = |word: &&u32| self.enabled && **word & ENABLE != 0;
        self.comparators.iter().filter(armed).map(|word| word & !ENABLE)
    }
}

fn comparator(offset: u32) -> Option<usize> {
    let index = (offset.checked_sub(COMPARATORS)? / 4) as usize;
    (index < COUNT).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_register_tells_revision_two_and_six_comparators() {
        assert_eq!(Fpb::default().read(0), 0x1000_0060);
    }

    #[test]
    fn a_comparator_counts_only_while_it_and_the_unit_are_enabled() {
        let mut fpb = Fpb::default();
        fpb.write(8, 0x2000_0101);
        fpb.write(12, 0x0000_0200);
        assert_eq!(fpb.addresses().count(), 0);
        fpb.write(0, KEY | ENABLE);
        assert_eq!(fpb.addresses().collect::<Vec<_>>(), [0x2000_0100]);
        fpb.write(0, KEY);
        assert_eq!(fpb.addresses().count(), 0);
    }

    #[test]
    fn control_is_not_written_without_its_key() {
        let mut fpb = Fpb::default();
        fpb.write(0, ENABLE);
        assert_eq!(fpb.read(0) & ENABLE, 0);
    }

    #[test]
    fn beyond_the_last_comparator_is_nothing() {
        let mut fpb = Fpb::default();
        for offset in [4, 32, 0xFFC] {
            fpb.write(offset, u32::MAX);
            assert_eq!(fpb.read(offset), 0);
        }
        assert_eq!(fpb, Fpb::default());
    }
}
