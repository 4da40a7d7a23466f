//! Tells the harness that nothing is left to do. It grants time, and sends the next frame or command, only
//! after the counters show that the previous one has been dealt with: that is what makes a run repeatable.

use hilarm_link::{FromDevice, Idle, to_ethernet};

use crate::lan9118::{self, Counters};
use crate::link::Link;

/// To whoever is at the other end of the cable: the harness.
const BROADCAST: [u8; 6] = [0xFF; 6];

/// Sends [`Idle`] whenever it would say something new.
pub(crate) struct IdleReporter {
    link: &'static Link,
    frames: &'static Counters,
    mac: [u8; 6],
    sent: Option<Idle>,
}

impl IdleReporter {
    pub(crate) fn new(link: &'static Link, frames: &'static Counters, mac: [u8; 6]) -> Self {
        Self { link, frames, mac, sent: None }
    }

    /// To be called when no task is ready. Every input moves a counter, so each is answered.
    pub(crate) fn report(&mut self, deadline_us: Option<u64>) {
        let idle = Idle {
            seq: self.link.last_grant(),
            deadline_us,
            frames_rx: self.frames.received(),
            frames_tx: self.frames.transmitted(),
            frames_dropped: self.frames.dropped(),
            link_rx: self.link.received(),
            link_tx: self.link.sent(),
        };
        if self.sent != Some(idle) {
            let frame = to_ethernet(&FromDevice::Time(idle), BROADCAST, self.mac);
            lan9118::send_beside(&frame);
            self.sent = Some(idle);
        }
    }
}
