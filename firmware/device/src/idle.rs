//! Tells the harness that nothing is left to do. It grants time, and sends the next frame or command, only
//! after the counters show that the previous one has been dealt with: that is what makes a run repeatable.

use hilarm_link::{FromDevice, Idle, to_ethernet};

use crate::device::Device;

/// To whoever is at the other end of the cable: the harness.
const BROADCAST: [u8; 6] = [0xFF; 6];

/// How a report of idleness reaches the harness.
pub enum IdlePath {
    /// In an Ethernet frame of its own, beside the stack's traffic and uncounted: by this function, which is
    /// called in thread mode between two runs of the network's task. Faster than a UART where there is both.
    Ethernet(fn(&[u8])),
    /// On the link.
    Link,
}

/// Sends [`Idle`] whenever it would say something new.
pub(crate) struct IdleReporter {
    device: &'static Device,
    path: IdlePath,
    sent: Option<Idle>,
}

impl IdleReporter {
    pub(crate) fn new(device: &'static Device, path: IdlePath) -> Self {
        Self { device, path, sent: None }
    }

    /// To be called when no task is ready. Every input moves a counter, so each is answered.
    pub(crate) fn report(&mut self, deadline_us: Option<u64>) {
        let Device { link, frames, .. } = self.device;
        let idle = Idle {
            seq: link.last_grant(),
            deadline_us,
            frames_rx: frames.received(),
            frames_tx: frames.transmitted(),
            frames_dropped: frames.dropped(),
            link_rx: link.received(),
            link_tx: link.sent(),
        };
        if self.sent == Some(idle) {
            return;
        }
        self.sent = Some(idle);
        let message = FromDevice::Time(idle);
        match self.path {
            IdlePath::Ethernet(send) => send(&to_ethernet(&message, BROADCAST, self.device.mac())),
            IdlePath::Link => link.send_uncounted(&message),
        }
    }
}
