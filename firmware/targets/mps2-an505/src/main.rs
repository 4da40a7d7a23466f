//! The device firmware on the MPS2 board with the AN505 image (Cortex-M33, in its secure state), as QEMU emulates it
//! ("Application Note AN505").
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

use hilarm_mps2::{Guard, Map, Memory};

hilarm_mps2::board!(Map {
    target: "mps2-an505",
    memory: Memory {
        blob_address: 0x3830_0000,
        blob_bytes: 1024 * 1024,
        stack_bytes: 1024 * 1024,
        guard: Guard::Armv8m,
    },
    uart0: 0x5020_0000,
    uart1: 0x5020_1000,
    uart1_receive: 34,
    ethernet: 0x4200_0000,
    ethernet_interrupt: 48,
    watchdog: 0x5008_1000,
});

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: first of all, and once; the map above is this image's.
    unsafe { hilarm_mps2::run() }
}
