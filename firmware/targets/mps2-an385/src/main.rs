//! The device firmware on the MPS2 board with the AN385 image (Cortex-M3), as QEMU emulates it
//! ("Application Note AN385").
//!
//! One ELF serves every scenario; identity and seed come from the configuration blob, behaviours from
//! commands over the link. It never reads a clock: time is what the harness grants.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

use alloc::boxed::Box;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use embassy_executor::Spawner;
use embassy_net::Runner;
use hilarm_device::{Buffers, Device, GrantedTime, Guard, IdlePath, Memory, Pace, Parts, ReceiveRing, Seeds};
use hilarm_mps2::{Console, Lan9118, LinkUart};

const TARGET: &str = "mps2-an385";

const UART0: usize = 0x4000_4000;
const UART1: usize = 0x4000_5000;
const ETHERNET: usize = 0x4020_0000;

const MEMORY: Memory = Memory {
    blob_address: 0x2030_0000,
    blob_bytes: 1024 * 1024,
    stack_bytes: 1024 * 1024,
    guard: Guard::Armv7m,
};
const BUFFERS: Buffers =
    Buffers { tcp_bytes: 8 * 1024, outgoing_record_bytes: 16 * 1024, queued_bytes_max: 256 * 1024 };

embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime::new());

/// Holds the longest frame and the beginning of the next.
static RECEIVED: ReceiveRing<{ 32 * 1024 }> = ReceiveRing::new();

#[entry]
fn main() -> ! {
    hilarm_device::print_failures_by(print);
    // SAFETY: first of all, and once.
    unsafe { MEMORY.prepare() };
    let config = MEMORY.read_config();
    print(&hilarm_device::banner(TARGET, &config));
    let device = Device::new(Parts {
        target: TARGET,
        randomness: Box::new(Seeds::new(config.seed, hilarm_device::count_boot())),
        config,
        // SAFETY: UART1 of this board, which nobody else opens.
        wire: Box::new(unsafe { LinkUart::open(UART1) }),
        pace: Pace::Granted(&TIME),
        buffers: BUFFERS,
    });
    hilarm_device::run(device, IdlePath::Ethernet(send_beside), |spawner| {
        spawn(spawner, device);
        enable_interrupts();
    })
}

/// Writes to the console.
fn print(text: &str) {
    // SAFETY: UART0 of this board; a panic in the middle of a line opens it again, which is harmless.
    unsafe { Console::open(UART0) }.print(text);
}

fn send_beside(frame: &[u8]) {
    // SAFETY: this board's controller, which has been started before anything is idle.
    unsafe { Lan9118::send_beside(ETHERNET, frame) }
}

fn spawn(spawner: Spawner, device: &'static Device) {
    // SAFETY: this board's controller, started here alone.
    let controller = unsafe { Lan9118::start(ETHERNET, device.mac(), device.tap()) };
    let (stack, runner) = hilarm_device::start(controller, device);
    spawner.spawn(network(runner).expect("the network task starts once"));
    device.spawn(spawner, stack);
    spawner.spawn(link(device).expect("the link's task starts once"));
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn link(device: &'static Device) -> ! {
    hilarm_device::receive(device, &RECEIVED).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    LinkReceive = 2,
    Ethernet = 13,
}

// SAFETY: both numbers exist on this board and stay the same.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Lets the two interrupts through; their drivers must be set up.
fn enable_interrupts() {
    // SAFETY: the handlers touch only what their drivers guard by critical sections.
    unsafe {
        NVIC::unmask(Interrupt::LinkReceive);
        NVIC::unmask(Interrupt::Ethernet);
    }
}

#[exception]
unsafe fn DefaultHandler(irqn: i16) {
    const LINK_RECEIVE: i16 = Interrupt::LinkReceive as i16;
    const ETHERNET_FRAME: i16 = Interrupt::Ethernet as i16;
    match irqn {
        // SAFETY: UART1 of this board; the interrupt is enabled only after it was opened.
        LINK_RECEIVE => unsafe { LinkUart::on_receive(UART1, &RECEIVED) },
        // SAFETY: this board's controller.
        ETHERNET_FRAME => unsafe { Lan9118::on_interrupt(ETHERNET) },
        other => panic!("interrupt {other} has no handler"),
    }
}
