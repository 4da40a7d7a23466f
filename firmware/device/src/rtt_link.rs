//! The link over Real-Time Transfer: a debug probe alone is enough, no serial line is needed. Nobody interrupts the
//! core when the probe has written, so a timer looks: this needs a clock of the board's own.

use embassy_time::{Duration, Timer};

use crate::link::{Receive, Transmit};
use crate::rtt::{self, Up};

const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Both ends of the link's channels.
#[derive(Clone, Copy, Debug)]
pub struct RttLink;

impl Transmit for RttLink {
    /// Waits for the probe while its ring is full: without a probe there is no link.
    fn transmit(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[rtt::write(Up::Link, rest)..];
        }
    }
}

impl Receive for RttLink {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match rtt::take_link(buffer) {
                0 => Timer::after(LOOK_EVERY).await,
                taken => return taken,
            }
        }
    }

    /// The probe sees how full the ring is and writes no more than fits.
    fn overruns(&self) -> u32 {
        0
    }
}
