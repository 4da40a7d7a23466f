//! The device firmware on the MPS2 board with the AN385 image (Cortex-M3), as QEMU emulates it
//! ("Application Note AN385").
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

use hilarm_mps2::{Guard, Map, Memory};

hilarm_mps2::board!(Map {
    target: "mps2-an385",
    memory: Memory {
        blob_address: 0x2030_0000,
        blob_bytes: 1024 * 1024,
        stack_bytes: 1024 * 1024,
        guard: Guard::Armv7m,
    },
    uart0: 0x4000_4000,
    uart1: 0x4000_5000,
    uart1_receive: 2,
    ethernet: 0x4020_0000,
    ethernet_interrupt: 13,
    watchdog: 0x4000_8000,
});

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: first of all, and once; the map above is this image's.
    unsafe { hilarm_mps2::run() }
}
