//! The bus behind the access port.

use crate::link_error::LinkError;

/// The width of one access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Halfword,
    /// Four bytes.
    #[default]
    Word,
}

impl Width {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Halfword => 2,
            Self::Word => 4,
        }
    }

    pub(crate) fn mask(self) -> u32 {
        u32::MAX >> (32 - 8 * self.bytes())
    }

    /// The addresses of accesses that follow each other.
    pub(crate) fn addresses(self, first: u32, count: usize) -> impl Iterator<Item = u32> {
        (0..count as u32).map(move |index| first.wrapping_add(index * self.bytes() as u32))
    }
}

/// What the access port drives. `LinkError::Refused` is a fault on the bus; all other errors end the connection.
pub(crate) trait Bus {
    /// Reads `count` values that follow each other in memory, each in its lowest bits.
    fn read(&mut self, address: u32, width: Width, count: usize) -> Result<Vec<u32>, LinkError>;
    /// Writes values that follow each other in memory, each given in its lowest bits.
    fn write(&mut self, address: u32, width: Width, values: &[u32]) -> Result<(), LinkError>;
}

/// Memory without a machine, for tests of what is above.
#[cfg(test)]
pub(crate) mod fake {
    use std::collections::BTreeMap;

    use super::*;

    /// Faults where nothing was put.
    #[derive(Default)]
    pub(crate) struct FakeBus {
        pub(crate) bytes: BTreeMap<u32, u8>,
        /// Each access: address, count.
        pub(crate) reads: Vec<(u32, usize)>,
        pub(crate) writes: Vec<(u32, usize)>,
    }

    impl FakeBus {
        pub(crate) fn with(address: u32, bytes: &[u8]) -> Self {
            Self { bytes: (address..).zip(bytes.iter().copied()).collect(), ..Self::default() }
        }
    }

    impl Bus for FakeBus {
        fn read(&mut self, address: u32, width: Width, count: usize) -> Result<Vec<u32>, LinkError> {
            self.reads.push((address, count));
            let byte = |at: u32| self.bytes.get(&at).copied().map(u32::from);
            let value = |at: u32| {
                (0..width.bytes() as u32)
                    .rev()
                    .try_fold(0, |value, lane| Some(value << 8 | byte(at.wrapping_add(lane))?))
            };
            let values: Option<Vec<u32>> = width.addresses(address, count).map(value).collect();
            values.ok_or_else(|| LinkError::Refused(format!("{address:#x}")))
        }

        fn write(&mut self, address: u32, width: Width, values: &[u32]) -> Result<(), LinkError> {
            self.writes.push((address, values.len()));
            for (at, value) in width.addresses(address, values.len()).zip(values) {
                let lanes = value.to_le_bytes().into_iter().take(width.bytes());
                for (lane, byte) in (0..).zip(lanes) {
                    let slot = self.bytes.get_mut(&at.wrapping_add(lane));
                    *slot.ok_or_else(|| LinkError::Refused(format!("{at:#x}")))? = byte;
                }
            }
            Ok(())
        }
    }
}
