//! Real-Time Transfer: rings in RAM that a debug probe reads and writes while the firmware runs. Upwards, channel 0
//! is the console as text, channel 1 the link where nothing else carries it, channel 2 the log as defmt frames.
//! Downwards, channel 1 is the link. The layout of the control block is the one every probe knows.
//!
//! Nobody is waited for here: what does not fit is lost, and whoever must lose nothing looks at the count.

use core::cell::UnsafeCell;
use core::ptr::{addr_of, addr_of_mut};

const ID: [u8; 16] = *b"SEGGER RTT\0\0\0\0\0\0";
const RING_BYTES: usize = 2048;
const LINK_BYTES: usize = 1024;
/// Input of a terminal, which every probe expects and nobody here reads.
const KEYBOARD_BYTES: usize = 16;

#[repr(C)]
struct Channel {
    name: *const u8,
    ring: *mut u8,
    ring_bytes: u32,
    /// Where the next byte goes; the writer's.
    write: u32,
    /// Where the next byte is read; the reader's.
    read: u32,
    /// 0: what does not fit is skipped.
    mode: u32,
}

#[repr(C)]
struct ControlBlock {
    id: [u8; 16],
    channels_up: u32,
    channels_down: u32,
    up: [Channel; 3],
    down: [Channel; 2],
}

#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: touched within critical sections only, and by the probe, which expects that.
unsafe impl<T> Sync for Shared<T> {}

impl Channel {
    const NONE: Self = Self {
        name: core::ptr::null(),
        ring: core::ptr::null_mut(),
        ring_bytes: 0,
        write: 0,
        read: 0,
        mode: 0,
    };
}

/// Found by its name. Start-up zeroes it, so it is no control block before the first word of each boot.
#[unsafe(export_name = "_SEGGER_RTT")]
static BLOCK: Shared<ControlBlock> = Shared(UnsafeCell::new(ControlBlock {
    id: [0; 16],
    channels_up: 0,
    channels_down: 0,
    up: [Channel::NONE; 3],
    down: [Channel::NONE; 2],
}));

type Ring<const BYTES: usize> = Shared<[u8; BYTES]>;

static CONSOLE: Ring<RING_BYTES> = Shared(UnsafeCell::new([0; RING_BYTES]));
static LINK_UP: Ring<LINK_BYTES> = Shared(UnsafeCell::new([0; LINK_BYTES]));
static LOG: Ring<RING_BYTES> = Shared(UnsafeCell::new([0; RING_BYTES]));
static KEYBOARD: Ring<KEYBOARD_BYTES> = Shared(UnsafeCell::new([0; KEYBOARD_BYTES]));
static LINK_DOWN: Ring<LINK_BYTES> = Shared(UnsafeCell::new([0; LINK_BYTES]));

/// A channel to the probe, by its number.
#[derive(Clone, Copy)]
pub(crate) enum Up {
    Console = 0,
    Link = 1,
    Log = 2,
}

const LINK_DOWN_NUMBER: usize = 1;

/// Writes to the console what fits.
pub(crate) fn print(text: &str) {
    write(Up::Console, text.as_bytes());
}

/// Writes what fits and returns how much that was.
pub(crate) fn write(channel: Up, bytes: &[u8]) -> usize {
    critical_section::with(|_| {
        // SAFETY: both live forever, and within the critical section nobody else of ours is here. The probe only
        // moves `read`, so that is read once and bounded; all that it sees is written before `write` moves.
        unsafe {
            let channel = up(channel);
            let size = (*channel).ring_bytes as usize;
            let read = addr_of!((*channel).read).read_volatile() as usize % size;
            let start = addr_of!((*channel).write).read_volatile() as usize % size;
            let fitting = bytes.len().min((read + size - start - 1) % size);
            for (offset, &byte) in bytes[..fitting].iter().enumerate() {
                (*channel).ring.add((start + offset) % size).write_volatile(byte);
            }
            addr_of_mut!((*channel).write).write_volatile(((start + fitting) % size) as u32);
            fitting
        }
    })
}

/// Room that a channel to the probe has now.
pub(crate) fn room(channel: Up) -> usize {
    critical_section::with(|_| {
        // SAFETY: as in `write`.
        unsafe {
            let channel = up(channel);
            let size = (*channel).ring_bytes as usize;
            let read = addr_of!((*channel).read).read_volatile() as usize % size;
            let start = addr_of!((*channel).write).read_volatile() as usize % size;
            (read + size - start - 1) % size
        }
    })
}

/// Takes what the probe has written to the link.
pub(crate) fn take_link(buffer: &mut [u8]) -> usize {
    critical_section::with(|_| {
        // SAFETY: as in `write`, with the ends changed: the probe only moves `write`.
        unsafe {
            open_once();
            let channel = addr_of_mut!((*BLOCK.0.get()).down[LINK_DOWN_NUMBER]);
            let size = (*channel).ring_bytes as usize;
            let write = addr_of!((*channel).write).read_volatile() as usize % size;
            let start = addr_of!((*channel).read).read_volatile() as usize % size;
            let taken = buffer.len().min((write + size - start) % size);
            for (offset, slot) in buffer[..taken].iter_mut().enumerate() {
                *slot = (*channel).ring.add((start + offset) % size).read_volatile();
            }
            addr_of_mut!((*channel).read).write_volatile(((start + taken) % size) as u32);
            taken
        }
    })
}

/// A channel of a block that is open.
///
/// # Safety
/// Within a critical section.
unsafe fn up(channel: Up) -> *mut Channel {
    // SAFETY: as the caller's.
    unsafe {
        open_once();
        addr_of_mut!((*BLOCK.0.get()).up[channel as usize])
    }
}

/// Makes the control block, its magic last: a probe must not believe half a block.
///
/// # Safety
/// Within a critical section.
unsafe fn open_once() {
    let block = BLOCK.0.get();
    let channel = |name: &'static core::ffi::CStr, ring: *mut u8, bytes: usize| Channel {
        name: name.as_ptr().cast(),
        ring,
        ring_bytes: bytes as u32,
        ..Channel::NONE
    };
    // SAFETY: as the caller's; nobody holds a reference into the statics.
    unsafe {
        if addr_of!((*block).channels_up).read_volatile() != 0 {
            return;
        }
        addr_of_mut!((*block).up).write_volatile([
            channel(c"console", CONSOLE.0.get().cast(), RING_BYTES),
            channel(c"link", LINK_UP.0.get().cast(), LINK_BYTES),
            channel(c"defmt", LOG.0.get().cast(), RING_BYTES),
        ]);
        addr_of_mut!((*block).down).write_volatile([
            channel(c"console", KEYBOARD.0.get().cast(), KEYBOARD_BYTES),
            channel(c"link", LINK_DOWN.0.get().cast(), LINK_BYTES),
        ]);
        addr_of_mut!((*block).channels_up).write_volatile(3);
        addr_of_mut!((*block).channels_down).write_volatile(2);
        addr_of_mut!((*block).id).write_volatile(ID);
    }
}
