//! The device's end of the link: encodes what goes out, takes in grants, commands and frames.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};

use hilarm_link::{Decoder, Encoder, FromDevice, Grant, LogLevel, ToDevice, from_ethernet};

use crate::agent::{STIMULI, Stimulus};
use crate::device::Device;
use crate::interface::Inbox;
use crate::time::{self, GrantedTime, Pace};
use crate::warn;

/// What carries the link's bytes away.
pub trait Transmit {
    /// Returns when the last byte is out, or in the hands of an interrupt.
    fn transmit(&self, bytes: &[u8]);
}

/// What brings the link's bytes.
pub trait Receive {
    /// Waits for bytes, takes as many as fit and returns their number, at least one.
    fn receive(&mut self, buffer: &mut [u8]) -> impl Future<Output = usize>;

    /// Bytes that were lost so far because nobody took them.
    fn overruns(&self) -> u32;
}

/// The sending side and the counters, shared by every task in thread mode.
pub(crate) struct Link {
    wire: Box<dyn Transmit>,
    pace: Pace,
    encoder: RefCell<Encoder>,
    received: Cell<u32>,
    sent: Cell<u32>,
    last_grant: Cell<u32>,
    /// Where frames go on a board without an interface of its own.
    inbox: OnceCell<Inbox>,
}

impl Link {
    pub(crate) fn new(wire: Box<dyn Transmit>, pace: Pace) -> Self {
        Self {
            wire,
            pace,
            encoder: RefCell::new(Encoder::new()),
            received: Cell::new(0),
            sent: Cell::new(0),
            last_grant: Cell::new(0),
            inbox: OnceCell::new(),
        }
    }

    /// Sends a message; returns when its last byte is out.
    pub(crate) fn send(&self, message: &FromDevice) {
        self.send_uncounted(message);
        self.sent.set(self.sent.get().wrapping_add(1));
    }

    /// Sends a report of idleness, which states the count and so stays outside it.
    pub(crate) fn send_uncounted(&self, message: &FromDevice) {
        let bytes = self.encoder.borrow_mut().encode(message);
        self.wire.transmit(&bytes);
    }

    /// Sends a log line.
    pub(crate) fn log(&self, level: LogLevel, text: String) {
        warn!("link: {=str}", text.as_str());
        self.send(&FromDevice::Log { level, text });
    }

    /// Messages that went out.
    pub(crate) fn sent(&self) -> u32 {
        self.sent.get()
    }

    /// Frames that came over the link, damaged ones included.
    pub(crate) fn received(&self) -> u32 {
        self.received.get()
    }

    /// Number of the last grant, 0 before the first.
    pub(crate) fn last_grant(&self) -> u32 {
        self.last_grant.get()
    }

    /// The driver of granted time, where the harness grants it.
    pub(crate) fn granted_time(&self) -> Option<&'static GrantedTime> {
        match self.pace {
            Pace::Granted(time) => Some(time),
            Pace::Real => None,
        }
    }

    /// From now on Ethernet frames are expected here.
    pub(crate) fn carry_frames(&self) {
        // A second call finds the inbox there, which is all that it wants.
        let _ = self.inbox.set(Inbox::new());
    }

    pub(crate) fn inbox(&self) -> Option<&Inbox> {
        self.inbox.get()
    }

    /// Takes in one message.
    async fn take(&self, message: ToDevice, device: &Device) {
        match message {
            ToDevice::Time(grant) => {
                self.take_grant(&grant);
                STIMULI.send(Stimulus::Granted).await;
            }
            ToDevice::Command { id, command } => STIMULI.send(Stimulus::Command { id, command }).await,
            ToDevice::Network(frame) => match self.inbox() {
                Some(inbox) if inbox.push(frame) => {}
                Some(_) => device.frames.count_dropped(1),
                None => self.log(LogLevel::Warn, "ignored a frame: this board has Ethernet".into()),
            },
        }
    }

    /// Moves time; the agent hears of it from whoever calls this.
    fn take_grant(&self, grant: &Grant) {
        self.last_grant.set(grant.seq);
        time::grant(self.pace, grant);
    }

    /// Takes a frame of the harness's own, which is no traffic of the device; tells whether it was one.
    pub(crate) fn take_frame(&self, frame: &[u8]) -> bool {
        match from_ethernet::<ToDevice>(frame) {
            None => return false,
            Some(Ok(ToDevice::Time(grant))) => {
                self.take_grant(&grant);
                // A full queue wakes the agent as well.
                let _ = STIMULI.try_send(Stimulus::Granted);
            }
            Some(Ok(_)) => self.log(LogLevel::Warn, "ignored a message that is not for the interface".into()),
            Some(Err(error)) => self.log(LogLevel::Error, format!("link frame: {error}")),
        }
        true
    }
}

/// Takes in what the harness sends, one message after the other. A target runs it as a task of its own.
pub async fn receive(device: &'static Device, mut wire: impl Receive) -> ! {
    let link = &device.link;
    let mut decoder = Decoder::new();
    let mut buffer = [0; 64];
    let mut overruns = 0;
    loop {
        let taken = wire.receive(&mut buffer).await;
        for &byte in &buffer[..taken] {
            let Some(message) = decoder.push::<ToDevice>(byte) else { continue };
            link.received.set(link.received.get().wrapping_add(1));
            match message {
                Ok(message) => link.take(message, device).await,
                Err(error) => link.log(LogLevel::Error, format!("link: {error}")),
            }
        }
        if overruns != wire.overruns() {
            overruns = wire.overruns();
            link.log(LogLevel::Error, format!("link: {overruns} bytes lost, the receive ring was full"));
        }
    }
}
