//! UARTE0 as the link: DMA and interrupts move bytes between the wire and two rings.

use core::cell::RefCell;

use embassy_nrf::buffered_uarte::{BufferedUarteRx, BufferedUarteTx};
use hilarm_device::{Receive, Transmit};
use static_cell::ConstStaticCell;

const TRANSMIT_BYTES: usize = 2048;
const RECEIVE_BYTES: usize = 4096;

static TRANSMIT: ConstStaticCell<[u8; TRANSMIT_BYTES]> = ConstStaticCell::new([0; TRANSMIT_BYTES]);
static RECEIVE: ConstStaticCell<[u8; RECEIVE_BYTES]> = ConstStaticCell::new([0; RECEIVE_BYTES]);

/// The two rings.
pub(crate) struct Buffers {
    pub(crate) transmit: &'static mut [u8],
    pub(crate) receive: &'static mut [u8],
}

/// To be called once.
pub(crate) fn buffers() -> Buffers {
    Buffers { transmit: TRANSMIT.take(), receive: RECEIVE.take() }
}

/// The sending half.
pub(crate) struct Transmitter(RefCell<BufferedUarteTx<'static>>);

impl Transmitter {
    pub(crate) fn new(half: BufferedUarteTx<'static>) -> Self {
        Self(RefCell::new(half))
    }
}

impl Transmit for Transmitter {
    fn transmit(&self, bytes: &[u8]) {
        let mut half = self.0.borrow_mut();
        let mut rest = bytes;
        // While the ring is full this waits for the interrupt that empties it, at the wire's speed.
        while let Ok(written) = half.try_write(rest) {
            rest = &rest[written..];
            if rest.is_empty() {
                break;
            }
        }
    }
}

/// The receiving half.
pub(crate) struct Receiver {
    half: BufferedUarteRx<'static>,
    overruns: u32,
}

impl Receiver {
    pub(crate) fn new(half: BufferedUarteRx<'static>) -> Self {
        Self { half, overruns: 0 }
    }
}

impl Receive for Receiver {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match self.half.read(buffer).await {
                Ok(taken) if taken > 0 => return taken,
                Ok(_) => {}
                // Whatever the error, bytes are lost; the frame's checksum tells which message.
                Err(_) => self.overruns = self.overruns.wrapping_add(1),
            }
        }
    }

    fn overruns(&self) -> u32 {
        self.overruns
    }
}
