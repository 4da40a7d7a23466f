//! Interrupts of the AN385 ("Application Note AN385", 3.8), without a peripheral access crate.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;

use crate::{lan9118, uart};

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
pub(crate) fn enable() {
    // SAFETY: the handlers touch only what their drivers guard by critical sections.
    unsafe {
        NVIC::unmask(Interrupt::LinkReceive);
        NVIC::unmask(Interrupt::Ethernet);
    }
}

#[exception]
unsafe fn DefaultHandler(irqn: i16) {
    const LINK_RECEIVE: i16 = Interrupt::LinkReceive as i16;
    const ETHERNET: i16 = Interrupt::Ethernet as i16;
    match irqn {
        LINK_RECEIVE => uart::on_link_receive(),
        ETHERNET => lan9118::on_interrupt(),
        other => panic!("interrupt {other} has no handler"),
    }
}
