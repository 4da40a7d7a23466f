//! Dying on purpose, in the ways that a bug makes firmware die. What is told of it afterwards comes from the
//! harness, which looks at the processor; nothing here reports anything.

use core::cell::Cell;
use core::hint::black_box;

use critical_section::Mutex;
use hilarm_agent::Crash;

static WATCHDOG: Mutex<Cell<Option<fn()>>> = Mutex::new(Cell::new(None));

/// Names what starts the board's watchdog, which nobody feeds then.
pub fn start_watchdog_by(start: fn()) {
    critical_section::with(|cs| WATCHDOG.borrow(cs).set(Some(start)));
}

/// Dies.
pub(crate) fn carry_out(crash: Crash) -> ! {
    match crash {
        Crash::NullWrite => write_null(),
        Crash::StackOverflow => drop(black_box(descend(0))),
        Crash::Panic => panic!("told to panic"),
        Crash::Hang => cortex_m::interrupt::disable(),
        Crash::Watchdog => match critical_section::with(|cs| WATCHDOG.borrow(cs).get()) {
            Some(start) => start(),
            None => panic!("this board has no watchdog"),
        },
    }
    loop {
        // Keeps the loop from being taken for one that ends.
        black_box(());
    }
}

#[inline(never)]
fn write_null() {
    let null = black_box(core::ptr::null_mut::<u32>());
    // SAFETY: none: the memory protection unit forbids it, and that is what is wanted.
    unsafe { null.write_volatile(0xDEAD_BEEF) }
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "the stack has an end")]
fn descend(depth: u32) -> u32 {
    let frame = black_box([depth; 64]);
    descend(black_box(depth.wrapping_add(1))).wrapping_add(frame[usize::from(depth as u8 & 63)])
}
