//! The device firmware on the Netduino Plus 2, as QEMU emulates it, living in its own time: a grant moves the calendar
//! alone. The link, with frames, goes over Real-Time Transfer: what a board on a desk with a debug probe
//! and nothing else does.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

use cortex_m_rt::{entry, exception};
use hilarm_device::{CoreClock, Pace};
use hilarm_netduino::{CORE_MHZ, Carrier};

embassy_time_driver::time_driver_impl!(static TIME: CoreClock = CoreClock::new(CORE_MHZ));

#[entry]
fn main() -> ! {
    TIME.start();
    // SAFETY: first of all but the clock, which needs nothing, and once.
    unsafe { hilarm_netduino::run("netduinoplus2-rtt", Pace::Real, Carrier::Rtt) }
}

#[exception]
fn SysTick() {
    TIME.on_tick();
}
