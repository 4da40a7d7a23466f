//! USARTs of the STM32F405 (reference manual RM0090, 30.6), for QEMU: clocks and pins are left alone, because
//! the emulator knows neither. USART1 carries boot and panic text, USART2 the link.
//!
//! Each look at the status wakes QEMU's main loop, which then fights the processor for its lock: that took most of the
//! time of a byte. So it is looked at no oftener than QEMU needs.

use hilarm_device::{ReceiveRing, Registers, Transmit};

const USART1: usize = 0x4001_1000;
const USART2: usize = 0x4000_4400;

const STATUS: usize = 0x00;
const DATA: usize = 0x04;
const CONTROL_1: usize = 0x0C;

const TRANSMIT_EMPTY: u32 = 1 << 7;
const ENABLE: u32 = 1 << 13;
const TRANSMITTER: u32 = 1 << 3;
const RECEIVER: u32 = 1 << 2;
const RECEIVED_INTERRUPT: u32 = 1 << 5;

/// Holds the longest Ethernet frame and the beginning of the next.
static RING: ReceiveRing<4096> = ReceiveRing::new();

fn send(registers: Registers, bytes: &[u8]) {
    while registers.read(STATUS) & TRANSMIT_EMPTY == 0 {}
    for &byte in bytes {
        // QEMU has passed it on when the write is over, and is ready for the next.
        registers.write(DATA, u32::from(byte));
    }
}

/// Writes to USART1. It sets the USART up each time, so a panic does not depend on the boot.
pub(crate) fn print(text: &str) {
    // SAFETY: USART1's registers, which this function alone uses.
    let registers = unsafe { Registers::at(USART1) };
    registers.write(CONTROL_1, ENABLE | TRANSMITTER);
    send(registers, text.as_bytes());
}

/// USART2, the link's byte stream.
pub(crate) struct LinkUart {
    registers: Registers,
}

impl LinkUart {
    /// Sets the USART up, receive interrupt included.
    pub(crate) fn open() -> Self {
        // SAFETY: USART2's registers, which this file alone uses; the interrupt only drains DATA.
        let registers = unsafe { Registers::at(USART2) };
        registers.write(CONTROL_1, ENABLE | TRANSMITTER | RECEIVER | RECEIVED_INTERRUPT);
        Self { registers }
    }
}

impl Transmit for LinkUart {
    fn transmit(&self, bytes: &[u8]) {
        send(self.registers, bytes);
    }
}

/// What has come over the link.
pub(crate) fn received() -> &'static ReceiveRing<4096> {
    &RING
}

/// The receive interrupt of USART2.
pub(crate) fn on_receive() {
    // SAFETY: reading DATA is this handler's part of the USART, and clears the interrupt.
    let registers = unsafe { Registers::at(USART2) };
    // Nothing but a byte interrupts, and another one interrupts again.
    let mut byte = Some(registers.read(DATA) as u8);
    RING.fill(|| byte.take());
}
