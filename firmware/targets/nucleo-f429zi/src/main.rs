//! The device firmware on ST's NUCLEO-F429ZI (STM32F429ZI, Cortex-M4F; user manual UM1974). The link goes over
//! USART3, which the on-board ST-LINK offers as a serial port; frames go over the link, so the USB cable is all
//! that the board needs.
//!
//! Time is the board's own: a grant moves the calendar alone. Randomness is the chip's generator. It has been
//! compiled, and never run on silicon.
#![no_std]
#![no_main]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod serial;

use alloc::boxed::Box;
use core::cell::RefCell;

use cortex_m_rt::entry;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllQDiv, PllSource, Sysclk,
};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::{self, BufferedUartRx};
use embassy_stm32::{Config, bind_interrupts, peripherals};
use hilarm_device::{Buffers, Device, Guard, HardwareSeeds, IdlePath, Memory, Pace, Parts};

use crate::serial::{Receiver, Transmitter};

const TARGET: &str = "nucleo-f429zi";

const MEMORY: Memory =
    Memory { blob_address: 0x2002_E000, blob_bytes: 8 * 1024, stack_bytes: 32 * 1024, guard: Guard::Armv7m };
const BUFFERS: Buffers =
    Buffers { tcp_bytes: 3 * 1024, outgoing_record_bytes: 4 * 1024, queued_bytes_max: 24 * 1024 };

bind_interrupts!(struct Interrupts {
    USART3 => usart::BufferedInterruptHandler<peripherals::USART3>;
    HASH_RNG => rng::InterruptHandler<peripherals::RNG>;
});

#[entry]
fn main() -> ! {
    // SAFETY: first of all, and once.
    unsafe { MEMORY.prepare() };
    let chip = embassy_stm32::init(clocks());
    let config = MEMORY.read_config();
    let (transmitter, receiver) = serial::open(chip.USART3, chip.PD9, chip.PD8, Interrupts);
    let generator = RefCell::new(Rng::new(chip.RNG, Interrupts));
    let device = Device::new(Parts {
        target: TARGET,
        randomness: Box::new(HardwareSeeds(move |seed: &mut [u8]| generator.borrow_mut().fill_bytes(seed))),
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

/// 168 MHz from the ST-LINK's 8 MHz, and the 48 MHz that the random number generator needs.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll = Some(Pll {
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL168,
        divp: Some(PllPDiv::DIV2),
        divq: Some(PllQDiv::DIV7),
        divr: None,
    });
    config.rcc.ahb_pre = AHBPrescaler::DIV1;
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.sys = Sysclk::PLL1_P;
    config
}

#[embassy_executor::task]
async fn link(device: &'static Device, receiver: BufferedUartRx<'static>) -> ! {
    hilarm_device::receive(device, Receiver::new(receiver)).await
}
