//! The Netduino Plus 2 (STM32F405, Cortex-M4F) as QEMU emulates it, without Ethernet: IP goes over the link. A target
//! says whose time it lives in and what carries the link; the rest is here. It never decides what the device does.
//!
//! One ELF serves every scenario; identity and seed come from the configuration blob, behaviours from commands over
//! the link.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod usart;

use alloc::boxed::Box;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use embassy_executor::Spawner;
use hilarm_device::{Buffers, Device, Guard, IdlePath, Memory, Pace, Parts, RttLink, Seeds, Transmit};

use crate::usart::LinkUart;

/// Cycles of the core in a microsecond.
pub const CORE_MHZ: u32 = 168;

const MEMORY: Memory =
    Memory { blob_address: 0x080F_0000, blob_bytes: 64 * 1024, stack_bytes: 40 * 1024, guard: Guard::Armv7m };
/// A tenth of what larger boards take.
const BUFFERS: Buffers =
    Buffers { tcp_bytes: 3 * 1024, outgoing_record_bytes: 4 * 1024, queued_bytes_max: 24 * 1024 };

/// What carries the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// USART2.
    Usart2,
    /// Real-Time Transfer: the debug probe alone.
    Rtt,
}

/// Runs the device forever.
///
/// # Safety
/// To be called first of all, once.
pub unsafe fn run(target: &'static str, pace: Pace, carrier: Carrier) -> ! {
    hilarm_device::print_failures_by(usart::print);
    // SAFETY: first of all, and once.
    unsafe { MEMORY.prepare() };
    let config = MEMORY.read_config();
    usart::print(&hilarm_device::banner(target, &config));
    let wire: Box<dyn Transmit> = match carrier {
        Carrier::Usart2 => Box::new(LinkUart::open()),
        Carrier::Rtt => Box::new(RttLink),
    };
    let device = Device::new(Parts {
        target,
        randomness: Box::new(Seeds::new(config.seed, hilarm_device::count_boot())),
        config,
        wire,
        pace,
        buffers: BUFFERS,
    });
    hilarm_device::run(device, IdlePath::Link, |spawner| {
        let stack = hilarm_device::start_over_link(spawner, device);
        device.spawn(spawner, stack);
        listen(spawner, device, carrier);
    })
}

fn listen(spawner: Spawner, device: &'static Device, carrier: Carrier) {
    const ONCE: &str = "the link's task starts once";
    match carrier {
        Carrier::Usart2 => {
            spawner.spawn(usart_link(device).expect(ONCE));
            // SAFETY: the handler touches only what the ring guards by critical sections.
            unsafe { NVIC::unmask(LinkReceive) };
        }
        Carrier::Rtt => spawner.spawn(rtt_link(device).expect(ONCE)),
    }
}

#[embassy_executor::task]
async fn usart_link(device: &'static Device) -> ! {
    hilarm_device::receive(device, usart::received()).await
}

#[embassy_executor::task]
async fn rtt_link(device: &'static Device) -> ! {
    hilarm_device::receive(device, RttLink).await
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
