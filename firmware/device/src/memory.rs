//! Memory: the heap, the guard below the stack, the configuration blob and the count of boots.
//!
//! From the last static upwards RAM holds the heap, the guard, and the stack, which grows down from RAM's end.

use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use embedded_alloc::LlffHeap;
use hilarm_link::{DeviceConfig, read_config_blob};

use crate::registers::Registers;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// The smallest region of the older unit that is worth the name; frames of functions are shorter.
const GUARD_BYTES: usize = 4096;

/// Where a target keeps what.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Address of the configuration blob, which a loader or a debug probe wrote before boot. The linker script
    /// keeps everything else out.
    pub blob_address: usize,
    /// Room for the blob.
    pub blob_bytes: usize,
    /// How much of RAM's end is the stack's. The heap takes what is left.
    pub stack_bytes: usize,
    /// What turns a stack overflow into a fault.
    pub guard: Guard,
}

/// The core's memory protection unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// PMSAv7 (Cortex-M3, M4, M7).
    Armv7m,
    /// PMSAv8 (Cortex-M33).
    Armv8m,
}

unsafe extern "C" {
    /// End of all statics, of cortex-m-rt's linker script.
    static __sheap: u8;
    /// Where the stack begins, of the same.
    static _stack_start: u8;
}

impl Memory {
    /// Makes allocation possible, and stack overflow a fault instead of silent damage to the heap.
    ///
    /// # Safety
    /// To be called once, first of all, by a program linked with cortex-m-rt's script.
    pub unsafe fn prepare(&self) {
        let (start, end) = ((&raw const __sheap) as usize, (&raw const _stack_start) as usize);
        let guard = (end - self.stack_bytes) & !(GUARD_BYTES - 1);
        let start = start.next_multiple_of(8);
        assert!(start < guard, "no room for a heap");
        // SAFETY: called once; nothing else uses the memory between the statics and the stack.
        unsafe { HEAP.init(start, guard - start) }
        self.guard.cover(guard);
        self.guard.forbid_null();
    }

    /// The configuration that was written before boot.
    ///
    /// # Panics
    /// When there is none: without it a device is nobody.
    pub fn read_config(&self) -> DeviceConfig {
        // SAFETY: memory that the linker script leaves out, so nothing else refers to it; any byte value is a
        // u8.
        let memory = unsafe { core::slice::from_raw_parts(self.blob_address as *const u8, self.blob_bytes) };
        match read_config_blob(memory) {
            Ok(config) => config,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Guard {
    /// Makes a write through a null pointer a fault, also where memory begins at address 0. The processor fetches
    /// its vectors past the unit.
    fn forbid_null(self) {
        const NUMBER: usize = 0x08;
        const BASE: usize = 0x0C;
        const ATTRIBUTES_OR_LIMIT: usize = 0x10;
        const SIZE_32: u32 = 4 << 1;
        const ARMV7_READ_ONLY: u32 = 0b110 << 24;
        const ARMV8_READ_ONLY: u32 = 0b10 << 1;
        const ENABLE: u32 = 1;
        // SAFETY: as in `cover`, which has enabled the unit; region 1 is nobody else's.
        let unit = unsafe { Registers::at(0xE000_ED90) };
        unit.write(NUMBER, 1);
        match self {
            Self::Armv7m => {
                unit.write(BASE, 0);
                unit.write(ATTRIBUTES_OR_LIMIT, ARMV7_READ_ONLY | SIZE_32 | ENABLE);
            }
            // The limit of this unit counts 32 bytes from the base on.
            Self::Armv8m => {
                unit.write(BASE, ARMV8_READ_ONLY);
                unit.write(ATTRIBUTES_OR_LIMIT, ENABLE);
            }
        }
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
    }

    /// Forbids the guard's bytes from `address` on. Everything else keeps the default map, and fault handlers
    /// run without the unit.
    fn cover(self, address: usize) {
        const CTRL: usize = 0x04;
        const NUMBER: usize = 0x08;
        const BASE: usize = 0x0C;
        const SIZE_OR_LIMIT: usize = 0x10;
        const SIZE_4K: u32 = 11 << 1;
        const EXECUTE_NEVER: u32 = 1;
        const READ_ONLY: u32 = 0b10 << 1;
        const ENABLE: u32 = 1;
        const DEFAULT_MAP_FOR_THE_REST: u32 = 1 << 2;
        // SAFETY: the core's memory protection unit ("Armv7-M" and "Armv8-M Architecture Reference Manual"),
        // used here only; the region lies between the heap and the lowest word of the stack.
        let unit = unsafe { Registers::at(0xE000_ED90) };
        unit.write(NUMBER, 0);
        let address = address as u32;
        match self {
            Self::Armv7m => {
                unit.write(BASE, address);
                unit.write(SIZE_OR_LIMIT, SIZE_4K | ENABLE);
            }
            // This unit knows no region without any right; a stack writes before it reads.
            Self::Armv8m => {
                unit.write(BASE, address | READ_ONLY | EXECUTE_NEVER);
                unit.write(SIZE_OR_LIMIT, (address + GUARD_BYTES as u32 - 32) | ENABLE);
            }
        }
        unit.write(CTRL, DEFAULT_MAP_FOR_THE_REST | ENABLE);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
    }
}

/// The count and its complement: memory holds noise after power-on, and stays over a reset. A debug probe that makes
/// a reset look like power-on wipes it, and finds it by its name.
#[unsafe(export_name = "HILARM_BOOTS")]
#[unsafe(link_section = ".uninit.boots")]
static mut BOOTS: [MaybeUninit<u32>; 2] = [MaybeUninit::uninit(); 2];

/// How often this device booted before since power-on. To be called once.
pub fn count_boot() -> u32 {
    let words = addr_of_mut!(BOOTS).cast::<u32>();
    // SAFETY: called once by `main`, before anything else could refer to the two words; volatile, because
    // their value comes from before this program began.
    unsafe {
        let (count, check) = (words.read_volatile(), words.add(1).read_volatile());
        let before = if check == !count { count } else { 0 };
        let now = before.wrapping_add(1);
        words.write_volatile(now);
        words.add(1).write_volatile(!now);
        before
    }
}
