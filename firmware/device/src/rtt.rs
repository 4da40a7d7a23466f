//! The console over Real-Time Transfer: one ring in RAM that a debug probe reads while the firmware runs. Nobody is
//! waited for: what does not fit is lost. The layout of the control block is the one every probe knows.

use core::cell::UnsafeCell;
use core::ptr::addr_of_mut;

const RING_BYTES: usize = 2048;
const ID: [u8; 16] = *b"SEGGER RTT\0\0\0\0\0\0";

#[repr(C)]
struct ControlBlock {
    id: [u8; 16],
    channels_up: u32,
    channels_down: u32,
    name: *const u8,
    ring: *mut u8,
    ring_bytes: u32,
    /// Where the next byte goes; ours.
    write: u32,
    /// Where the next byte is read; the probe's.
    read: u32,
    /// 0: what does not fit is skipped.
    mode: u32,
}

#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: touched within critical sections only, and by the probe, which expects that.
unsafe impl<T> Sync for Shared<T> {}

/// Found by its name. Start-up zeroes it, so it is no control block before the first word of each boot.
#[unsafe(export_name = "_SEGGER_RTT")]
static BLOCK: Shared<ControlBlock> = Shared(UnsafeCell::new(ControlBlock {
    id: [0; 16],
    channels_up: 0,
    channels_down: 0,
    name: core::ptr::null(),
    ring: core::ptr::null_mut(),
    ring_bytes: 0,
    write: 0,
    read: 0,
    mode: 0,
}));

static RING: Shared<[u8; RING_BYTES]> = Shared(UnsafeCell::new([0; RING_BYTES]));

/// Writes what fits.
pub(crate) fn print(text: &str) {
    critical_section::with(|_| {
        let (block, ring) = (BLOCK.0.get(), RING.0.get().cast::<u8>());
        // SAFETY: both statics live forever, and within the critical section nobody else of ours is here. The probe
        // only moves `read`, so that is read once and checked; everything it sees is written before `write` moves.
        unsafe {
            let start = addr_of_mut!((*block).channels_up);
            if start.read_volatile() == 0 {
                open(block, ring);
            }
            let read = addr_of_mut!((*block).read).read_volatile() as usize % RING_BYTES;
            let mut write = addr_of_mut!((*block).write).read_volatile() as usize % RING_BYTES;
            for &byte in text.as_bytes() {
                let next = (write + 1) % RING_BYTES;
                if next == read {
                    break;
                }
                ring.add(write).write_volatile(byte);
                write = next;
            }
            addr_of_mut!((*block).write).write_volatile(write as u32);
        }
    });
}

/// Makes the control block, its magic last: a probe must not believe half a block.
///
/// # Safety
/// Within a critical section, with the two statics.
unsafe fn open(block: *mut ControlBlock, ring: *mut u8) {
    // SAFETY: as the caller's.
    unsafe {
        addr_of_mut!((*block).name).write_volatile(c"console".as_ptr().cast());
        addr_of_mut!((*block).ring).write_volatile(ring);
        addr_of_mut!((*block).ring_bytes).write_volatile(RING_BYTES as u32);
        addr_of_mut!((*block).channels_up).write_volatile(1);
        addr_of_mut!((*block).id).write_volatile(ID);
    }
}
