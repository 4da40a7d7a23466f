//! The device's end of the link: encodes what goes out, takes in grants and commands.

use alloc::format;
use alloc::string::String;
use core::cell::{Cell, RefCell};

use hilarm_link::{Decoder, Encoder, FromDevice, Grant, LogLevel, ToDevice, from_ethernet};

use crate::agent::{STIMULI, Stimulus};
use crate::time;
use crate::uart::LinkUart;

/// The sending side and the counters, shared by every task in thread mode.
pub(crate) struct Link {
    uart: LinkUart,
    encoder: RefCell<Encoder>,
    received: Cell<u32>,
    sent: Cell<u32>,
    last_grant: Cell<u32>,
}

impl Link {
    pub(crate) fn new(uart: LinkUart) -> Self {
        Self {
            uart,
            encoder: RefCell::new(Encoder::new()),
            received: Cell::new(0),
            sent: Cell::new(0),
            last_grant: Cell::new(0),
        }
    }

    /// Sends a message; returns when its last byte is out.
    pub(crate) fn send(&self, message: &FromDevice) {
        let bytes = self.encoder.borrow_mut().encode(message);
        self.uart.send(&bytes);
        self.sent.set(self.sent.get().wrapping_add(1));
    }

    /// Sends a log line.
    pub(crate) fn log(&self, level: LogLevel, text: String) {
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

    async fn take(&self, message: ToDevice) {
        match message {
            ToDevice::Time(grant) => {
                self.take_grant(&grant);
                STIMULI.send(Stimulus::Granted).await;
            }
            ToDevice::Command { id, command } => STIMULI.send(Stimulus::Command { id, command }).await,
            ToDevice::Network(frame) => {
                let text = format!("ignored a frame of {} bytes: this board has Ethernet", frame.len());
                self.log(LogLevel::Warn, text);
            }
        }
    }

    /// Moves time; the agent hears of it from whoever calls this.
    fn take_grant(&self, grant: &Grant) {
        self.last_grant.set(grant.seq);
        time::grant(grant);
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

/// Takes in what the harness sends, one message after the other.
#[embassy_executor::task]
pub(crate) async fn receive(link: &'static Link) -> ! {
    let mut decoder = Decoder::new();
    let mut buffer = [0; 64];
    let mut overruns = 0;
    loop {
        let taken = link.uart.receive(&mut buffer).await;
        for &byte in &buffer[..taken] {
            let Some(message) = decoder.push::<ToDevice>(byte) else { continue };
            link.received.set(link.received.get().wrapping_add(1));
            match message {
                Ok(message) => link.take(message).await,
                Err(error) => link.log(LogLevel::Error, format!("link: {error}")),
            }
        }
        if overruns != link.uart.overruns() {
            overruns = link.uart.overruns();
            link.log(LogLevel::Error, format!("link: {overruns} bytes lost, the receive ring was full"));
        }
    }
}
