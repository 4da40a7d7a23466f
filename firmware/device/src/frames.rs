//! What every network driver owes the harness: it shows its frames to the tap, which counts them.

use core::cell::Cell;

use hilarm_agent::Direction;

use crate::device::Device;

/// Frames so far, of an interface of the device's own. Read by the executor and written for the driver, both
/// in thread mode. The harness grants time only while its counts agree with these.
#[derive(Default)]
pub(crate) struct Counters {
    received: Cell<u32>,
    transmitted: Cell<u32>,
    dropped: Cell<u32>,
}

impl Counters {
    /// So many more frames were lost.
    pub(crate) fn count_dropped(&self, frames: u32) {
        add(&self.dropped, frames);
    }

    pub(crate) fn received(&self) -> u32 {
        self.received.get()
    }

    pub(crate) fn transmitted(&self) -> u32 {
        self.transmitted.get()
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.dropped.get()
    }
}

fn add(counter: &Cell<u32>, more: u32) {
    counter.set(counter.get().wrapping_add(more));
}

/// Shows each frame to the agent's collector of network activity, and keeps the harness's own from the stack.
#[derive(Clone, Copy)]
pub struct FrameTap {
    device: &'static Device,
}

impl FrameTap {
    pub(crate) fn new(device: &'static Device) -> Self {
        Self { device }
    }

    /// A frame that passes the interface, Ethernet header first, without checksum. It is counted.
    pub fn observe(&self, direction: Direction, frame: &[u8]) {
        let counters = &self.device.frames;
        match direction {
            Direction::Incoming => add(&counters.received, 1),
            Direction::Outgoing => add(&counters.transmitted, 1),
        }
        self.show(direction, frame);
    }

    /// Shows a frame to the agent without counting it: one that was counted as a message of the link.
    pub(crate) fn show(&self, direction: Direction, frame: &[u8]) {
        // The agent task holds no borrow over an await, so none is alive while the network task runs.
        self.device.agent.borrow_mut().flows().observe_frame(direction, frame);
    }

    /// Takes a frame that came in and is no traffic of the device; tells whether it was one.
    pub fn take(&self, frame: &[u8]) -> bool {
        self.device.link.take_frame(frame)
    }

    /// The interface lost so many frames.
    pub fn lost(&self, frames: u32) {
        self.device.frames.count_dropped(frames);
    }
}
