//! Memory: the heap, the guard below the stack, the configuration blob and the count of boots.

use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use cortex_m::peripheral::MPU;
use embedded_alloc::LlffHeap;
use hilarm_link::{BlobError, DeviceConfig, read_config_blob};

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

const HEAP_BYTES: usize = 1536 * 1024;

/// Left out of `.bss`, because zeroing it would dominate the boot.
#[unsafe(link_section = ".uninit.heap")]
static mut HEAP_MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];

/// Where the loader puts the configuration; the linker script keeps everything else out.
const BLOB_ADDRESS: usize = 0x2030_0000;
const BLOB_BYTES: usize = 1024 * 1024;

const GUARD_BYTES: u32 = 4096;

/// Makes allocation possible. To be called once, first of all.
pub(crate) fn init_heap() {
    // SAFETY: called once by `main`; the memory is used for nothing else.
    unsafe { HEAP.init(addr_of_mut!(HEAP_MEMORY) as usize, HEAP_BYTES) }
}

/// Turns a stack overflow into a fault instead of silent damage to the heap below.
pub(crate) fn guard_stack(mpu: &mut MPU) {
    unsafe extern "C" {
        static _stack_end: u32;
    }
    let end = (&raw const _stack_end) as u32;
    let guard = end.next_multiple_of(GUARD_BYTES);
    const VALID: u32 = 1 << 4;
    const SIZE_4K: u32 = 11 << 1;
    const ENABLE: u32 = 1;
    const DEFAULT_MAP_FOR_THE_REST: u32 = 1 << 2;
    // SAFETY: one region without any access right, between the last static and the lowest word of the stack;
    // everything else keeps the default map, and fault handlers run without the unit.
    unsafe {
        mpu.rbar.write(guard | VALID);
        mpu.rasr.write(SIZE_4K | ENABLE);
        mpu.ctrl.write(DEFAULT_MAP_FOR_THE_REST | ENABLE);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

/// The configuration that was loaded before boot.
pub(crate) fn read_config() -> Result<DeviceConfig, BlobError> {
    // SAFETY: RAM that the linker script leaves out, so nothing else refers to it; any byte value is a u8.
    let memory = unsafe { core::slice::from_raw_parts(BLOB_ADDRESS as *const u8, BLOB_BYTES) };
    read_config_blob(memory)
}

/// The count and its complement: memory holds noise after power-on, and stays over a reset.
#[unsafe(link_section = ".uninit.boots")]
static mut BOOTS: [MaybeUninit<u32>; 2] = [MaybeUninit::uninit(); 2];

/// How often this device booted before since power-on. To be called once.
pub(crate) fn count_boot() -> u32 {
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
