//! CMSDK UARTs ("ARM Cortex-M System Design Kit Technical Reference Manual", 4.3). UART0 carries boot and
//! panic text, UART1 the link. Receiving runs by interrupt into a ring, sending by polling.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use hilarm_link::MAX_FRAME_BYTES;

use crate::registers::Registers;

const UART0: usize = 0x4000_4000;
const UART1: usize = 0x4000_5000;

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
pub(crate) struct Console {
    registers: Registers,
}

impl Console {
    /// Sets the UART up; doing it again is harmless, so the panic handler does not depend on the boot.
    pub(crate) fn open() -> Self {
        // SAFETY: UART0's registers, which this file alone uses.
        let registers = unsafe { Registers::at(UART0) };
        registers.write(BAUD_DIV, FASTEST);
        registers.write(CTRL, CTRL_TX);
        Self { registers }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        send(self.registers, text.as_bytes());
        Ok(())
    }
}

/// UART1, the link's byte stream.
#[derive(Clone, Copy)]
pub(crate) struct LinkUart {
    registers: Registers,
}

impl LinkUart {
    /// Sets the UART up, receive interrupt included.
    pub(crate) fn open() -> Self {
        // SAFETY: UART1's registers, which this file alone uses; the interrupt only drains DATA.
        let registers = unsafe { Registers::at(UART1) };
        registers.write(BAUD_DIV, FASTEST);
        registers.write(CTRL, CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT);
        // QEMU asks its character device for bytes only after DATA was read once.
        registers.read(DATA);
        Self { registers }
    }

    /// Sends all bytes before it returns.
    pub(crate) fn send(&self, bytes: &[u8]) {
        send(self.registers, bytes);
    }

    /// Waits for bytes, takes as many as fit and returns their number, at least one.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> usize {
        poll_fn(|context| {
            RECEIVED_WAKER.register(context.waker());
            match critical_section::with(|cs| RECEIVED.borrow_ref_mut(cs).pop(buffer)) {
                0 => Poll::Pending,
                taken => Poll::Ready(taken),
            }
        })
        .await
    }

    /// Bytes that found the ring full.
    pub(crate) fn overruns(&self) -> u32 {
        critical_section::with(|cs| RECEIVED.borrow_ref(cs).overruns)
    }
}

/// The receive interrupt of UART1.
pub(crate) fn on_link_receive() {
    // SAFETY: reading DATA and clearing the interrupt are this handler's part of the UART.
    let registers = unsafe { Registers::at(UART1) };
    registers.write(INT_CLEAR, INT_RX);
    let wake = critical_section::with(|cs| {
        let mut ring = RECEIVED.borrow_ref_mut(cs);
        let mut wake = false;
        while registers.read(STATE) & STATE_RX_READY != 0 {
            wake |= ring.push(registers.read(DATA) as u8);
        }
        wake
    });
    if wake {
        RECEIVED_WAKER.wake();
    }
}

/// Holds the longest frame and the beginning of the next.
const RING_BYTES: usize = 2 * MAX_FRAME_BYTES;

static RECEIVED: Mutex<RefCell<Ring>> =
    Mutex::new(RefCell::new(Ring { bytes: [0; RING_BYTES], start: 0, length: 0, overruns: 0 }));
static RECEIVED_WAKER: AtomicWaker = AtomicWaker::new();

struct Ring {
    bytes: [u8; RING_BYTES],
    start: usize,
    length: usize,
    overruns: u32,
}

impl Ring {
    /// Keeps the byte and tells whether the reader should look: at a frame's end, or before the ring is full.
    fn push(&mut self, byte: u8) -> bool {
        if self.length == RING_BYTES {
            self.overruns = self.overruns.wrapping_add(1);
            return true;
        }
        self.bytes[(self.start + self.length) % RING_BYTES] = byte;
        self.length += 1;
        byte == 0 || self.length > RING_BYTES / 2
    }

    fn pop(&mut self, buffer: &mut [u8]) -> usize {
        let taken = self.length.min(buffer.len());
        for slot in &mut buffer[..taken] {
            *slot = self.bytes[self.start];
            self.start = (self.start + 1) % RING_BYTES;
        }
        self.length -= taken;
        taken
    }
}
