//! The device firmware on the Netduino Plus 2 (STM32F405, Cortex-M4F), as QEMU emulates it. The emulated board
//! has no Ethernet: frames and time go over the link.
//!
//! One ELF serves every scenario; identity and seed come from the configuration blob, behaviours from
//! commands over the link. It never reads a clock: time is what the harness grants.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod usart;

use alloc::boxed::Box;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use hilarm_device::{Buffers, Device, GrantedTime, Guard, IdlePath, Memory, Pace, Parts, Seeds};

use crate::usart::LinkUart;

const TARGET: &str = "netduinoplus2";

const MEMORY: Memory =
    Memory { blob_address: 0x080F_0000, blob_bytes: 64 * 1024, stack_bytes: 40 * 1024, guard: Guard::Armv7m };
/// A tenth of what larger boards take.
const BUFFERS: Buffers =
    Buffers { tcp_bytes: 3 * 1024, outgoing_record_bytes: 4 * 1024, queued_bytes_max: 24 * 1024 };

embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime::new());

#[entry]
fn main() -> ! {
    hilarm_device::print_failures_by(usart::print);
    // SAFETY: first of all, and once.
    unsafe { MEMORY.prepare() };
    let config = MEMORY.read_config();
    usart::print(&hilarm_device::banner(TARGET, &config));
    let device = Device::new(Parts {
        target: TARGET,
        randomness: Box::new(Seeds::new(config.seed, hilarm_device::count_boot())),
        config,
        wire: Box::new(LinkUart::open()),
        pace: Pace::Granted(&TIME),
        buffers: BUFFERS,
    });
    hilarm_device::run(device, IdlePath::Link, |spawner| {
        let stack = hilarm_device::start_over_link(spawner, device);
        device.spawn(spawner, stack);
        spawner.spawn(link(device).expect("the link's task starts once"));
        // SAFETY: the handler touches only what the ring guards by critical sections.
        unsafe { NVIC::unmask(LinkReceive) };
    })
}

#[embassy_executor::task]
async fn link(device: &'static Device) -> ! {
    hilarm_device::receive(device, usart::received()).await
}

/// USART2's interrupt.
#[derive(Clone, Copy)]
struct LinkReceive;

impl LinkReceive {
    const NUMBER: i16 = 38;
}

// SAFETY: the number exists on this chip and stays the same.
unsafe impl InterruptNumber for LinkReceive {
    fn number(self) -> u16 {
        Self::NUMBER as u16
    }
}

#[exception]
unsafe fn DefaultHandler(irqn: i16) {
    match irqn {
        LinkReceive::NUMBER => usart::on_receive(),
        other => panic!("interrupt {other} has no handler"),
    }
}
