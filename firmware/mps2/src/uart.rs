//! CMSDK UARTs ("ARM Cortex-M System Design Kit Technical Reference Manual", 4.3). UART0 carries boot and
//! panic text, UART1 the link. Receiving runs by interrupt into a ring, sending by polling.

use hilarm_device::{ReceiveRing, Registers, Transmit};

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CTRL: usize = 0x08;
const INT_CLEAR: usize = 0x0C;
const BAUD_DIV: usize = 0x10;

const STATE_TX_FULL: u32 = 1;
const STATE_RX_READY: u32 = 2;
const CTRL_TX: u32 = 1;
const CTRL_RX: u32 = 2;
const CTRL_RX_INTERRUPT: u32 = 8;
const INT_RX: u32 = 2;
/// The smallest divider the hardware accepts; QEMU does not pace bytes by it.
const FASTEST: u32 = 16;

fn send(registers: Registers, bytes: &[u8]) {
    for &byte in bytes {
        while registers.read(STATE) & STATE_TX_FULL != 0 {}
        registers.write(DATA, u32::from(byte));
    }
}

/// UART0, for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    registers: Registers,
}

impl Console {
    /// Sets the UART up; doing it again is harmless, so the panic handler does not depend on the boot.
    ///
    /// # Safety
    /// `address` must be UART0's of this board, used by consoles alone.
    pub(crate) unsafe fn open(address: usize) -> Self {
        // SAFETY: as the caller promises.
        let registers = unsafe { Registers::at(address) };
        registers.write(BAUD_DIV, FASTEST);
        registers.write(CTRL, CTRL_TX);
        Self { registers }
    }

    /// Sends all of the text before it returns.
    pub(crate) fn print(&self, text: &str) {
        send(self.registers, text.as_bytes());
    }
}

/// UART1, the link's byte stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkUart {
    registers: Registers,
}

impl LinkUart {
    /// Sets the UART up, receive interrupt included.
    ///
    /// # Safety
    /// `address` must be UART1's of this board, used by the link alone.
    pub(crate) unsafe fn open(address: usize) -> Self {
        // SAFETY: as the caller promises; the interrupt only drains DATA.
        let registers = unsafe { Registers::at(address) };
        registers.write(BAUD_DIV, FASTEST);
        registers.write(CTRL, CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT);
        // QEMU asks its character device for bytes only after DATA was read once.
        registers.read(DATA);
        Self { registers }
    }

    /// The receive interrupt: takes what has come into the ring.
    ///
    /// # Safety
    /// `address` must be UART1's of this board, where [`LinkUart::open`] has set it up.
    pub(crate) unsafe fn on_receive<const BYTES: usize>(address: usize, ring: &ReceiveRing<BYTES>) {
        // SAFETY: reading DATA and clearing the interrupt are this handler's part of the UART.
        let registers = unsafe { Registers::at(address) };
        registers.write(INT_CLEAR, INT_RX);
        ring.fill(|| {
            let ready = registers.read(STATE) & STATE_RX_READY != 0;
            ready.then(|| registers.read(DATA) as u8)
        });
    }
}

impl Transmit for LinkUart {
    fn transmit(&self, bytes: &[u8]) {
        send(self.registers, bytes);
    }
}
