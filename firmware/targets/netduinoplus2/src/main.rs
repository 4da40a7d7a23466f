//! The device firmware on the Netduino Plus 2, as QEMU emulates it. It never reads a clock: time is what the harness
//! grants. The link, with frames and time, goes over USART2.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

use cortex_m_rt::entry;
use hilarm_device::{GrantedTime, Pace};
use hilarm_netduino::Carrier;

embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime::new());

#[entry]
fn main() -> ! {
    // SAFETY: first of all, and once.
    unsafe { hilarm_netduino::run("netduinoplus2", Pace::Granted(&TIME), Carrier::Usart2) }
}
