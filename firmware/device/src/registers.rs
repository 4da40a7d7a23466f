//! A block of 32-bit device registers.

/// Registers at consecutive offsets from a base address.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    base: usize,
}

impl Registers {
    /// The block at `base`.
    ///
    /// # Safety
    /// `base` must be the address of a register block of this board, and every access the caller makes
    /// through it one that its owner allows.
    pub const unsafe fn at(base: usize) -> Self {
        Self { base }
    }

    /// The register at `offset`.
    pub fn read(self, offset: usize) -> u32 {
        // SAFETY: `at` was promised a register block; offsets are the constants of that block's driver.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    /// Sets the register at `offset`.
    pub fn write(self, offset: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }
}
