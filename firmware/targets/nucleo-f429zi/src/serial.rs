//! USART3 as the link: interrupts move bytes between the wire and two rings.

use core::cell::RefCell;

use embassy_stm32::peripherals::{PD8, PD9, USART3};
use embassy_stm32::usart::{BufferedInterruptHandler, BufferedUart, BufferedUartRx, BufferedUartTx, Config};
use embassy_stm32::{Peri, interrupt};
use embedded_io::Write;
use embedded_io_async::Read;
use hilarm_device::{Receive, Transmit};
use static_cell::ConstStaticCell;

const BAUD: u32 = 115_200;
const TRANSMIT_BYTES: usize = 2048;
const RECEIVE_BYTES: usize = 4096;

static TRANSMIT: ConstStaticCell<[u8; TRANSMIT_BYTES]> = ConstStaticCell::new([0; TRANSMIT_BYTES]);
static RECEIVE: ConstStaticCell<[u8; RECEIVE_BYTES]> = ConstStaticCell::new([0; RECEIVE_BYTES]);

/// Opens the port. To be called once.
pub(crate) fn open(
    usart: Peri<'static, USART3>,
    rx: Peri<'static, PD9>,
    tx: Peri<'static, PD8>,
    interrupts: impl interrupt::typelevel::Binding<interrupt::typelevel::USART3, BufferedInterruptHandler<USART3>>
    + 'static,
) -> (BufferedUartTx<'static>, BufferedUartRx<'static>) {
    let mut config = Config::default();
    config.baudrate = BAUD;
    let uart = BufferedUart::new(usart, rx, tx, TRANSMIT.take(), RECEIVE.take(), interrupts, config);
    uart.expect("115200 baud divide the clock").split()
}

/// The sending half.
pub(crate) struct Transmitter(RefCell<BufferedUartTx<'static>>);

impl Transmitter {
    pub(crate) fn new(half: BufferedUartTx<'static>) -> Self {
        Self(RefCell::new(half))
    }
}

impl Transmit for Transmitter {
    fn transmit(&self, bytes: &[u8]) {
        let mut half = self.0.borrow_mut();
        // The driver starts an idle wire only after it has put all of a write into its ring, so a write must fit.
        for chunk in bytes.chunks(TRANSMIT_BYTES / 2) {
            // Sending has no way to fail: without flow control nobody says no.
            let _ = half.write_all(chunk);
        }
    }
}

/// The receiving half.
pub(crate) struct Receiver {
    half: BufferedUartRx<'static>,
    overruns: u32,
}

impl Receiver {
    pub(crate) fn new(half: BufferedUartRx<'static>) -> Self {
        Self { half, overruns: 0 }
    }
}

impl Receive for Receiver {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match self.half.read(buffer).await {
                Ok(taken) if taken > 0 => return taken,
                Ok(_) => {}
                // Noise, framing and overruns alike lose bytes; the frame's checksum tells which message.
                Err(_) => self.overruns = self.overruns.wrapping_add(1),
            }
        }
    }

    fn overruns(&self) -> u32 {
        self.overruns
    }
}
