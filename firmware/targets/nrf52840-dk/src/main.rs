//! The device firmware on Nordic's nRF52840-DK (nRF52840, Cortex-M4F). The link goes over UARTE0, which the
//! on-board J-Link offers as a serial port; frames go over the link, so the USB cable is all that the board needs.
//!
//! Time is the board's own: a grant moves the calendar alone. Randomness is the chip's generator. It has been
//! compiled, and never run on silicon.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod clock;
mod serial;

use alloc::boxed::Box;
use core::cell::RefCell;

use cortex_m_rt::entry;
use embassy_nrf::buffered_uarte::{self, BufferedUarte, BufferedUarteRx};
use embassy_nrf::config::{Config, HfclkSource};
use embassy_nrf::rng::Rng;
use embassy_nrf::{bind_interrupts, peripherals, uarte};
use hilarm_device::{Buffers, Device, Guard, HardwareSeeds, IdlePath, Memory, Pace, Parts};

use crate::serial::{Receiver, Transmitter};

const TARGET: &str = "nrf52840-dk";

const MEMORY: Memory =
    Memory { blob_address: 0x2003_E000, blob_bytes: 8 * 1024, stack_bytes: 40 * 1024, guard: Guard::Armv7m };
const BUFFERS: Buffers =
    Buffers { tcp_bytes: 4 * 1024, outgoing_record_bytes: 4 * 1024, queued_bytes_max: 48 * 1024 };

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
    TIMER0 => clock::Alarm;
});

#[entry]
fn main() -> ! {
    // SAFETY: first of all, and once.
    unsafe { MEMORY.prepare() };
    let mut config = Config::default();
    // The crystal: a serial line needs better than the internal oscillator's accuracy.
    config.hfclk_source = HfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(config);
    clock::start(chip.TIMER0, Interrupts);
    let config = MEMORY.read_config();
    let buffers = serial::buffers();
    let mut line = uarte::Config::default();
    line.baudrate = uarte::Baudrate::Baud115200;
    let uart = BufferedUarte::new(
        chip.UARTE0,
        chip.TIMER1,
        chip.PPI_CH0,
        chip.PPI_CH1,
        chip.PPI_GROUP0,
        chip.P0_08,
        chip.P0_06,
        Interrupts,
        line,
        buffers.receive,
        buffers.transmit,
    );
    let (receiver, transmitter) = uart.split();
    let generator = Rng::new_blocking(chip.RNG);
    generator.set_bias_correction(true);
    let generator = RefCell::new(generator);
    let device = Device::new(Parts {
        target: TARGET,
        randomness: Box::new(HardwareSeeds(move |seed: &mut [u8]| {
            generator.borrow_mut().blocking_fill_bytes(seed);
        })),
        config,
        wire: Box::new(Transmitter::new(transmitter)),
        pace: Pace::Real,
        buffers: BUFFERS,
    });
    hilarm_device::run(device, IdlePath::Link, |spawner| {
        let stack = hilarm_device::start_over_link(spawner, device);
        device.spawn(spawner, stack);
        spawner.spawn(link(device, receiver).expect("the link's task starts once"));
    })
}

#[embassy_executor::task]
async fn link(device: &'static Device, receiver: BufferedUarteRx<'static>) -> ! {
    hilarm_device::receive(device, Receiver::new(receiver)).await
}
