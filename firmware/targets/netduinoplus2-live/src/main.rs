//! The device firmware on the Netduino Plus 2, as QEMU emulates it, living in its own time: a grant moves the calendar
//! alone. The link, with frames, goes over USART2: what a board on a desk with one serial cable does.
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
    unsafe { hilarm_netduino::run("netduinoplus2-live", Pace::Real, Carrier::Usart2) }
}

#[exception]
fn SysTick() {
    TIME.on_tick();
}
