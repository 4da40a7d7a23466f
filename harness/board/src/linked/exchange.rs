//! What passes between harness and device, in both directions, and what its absence means. It writes, reads and
//! counts; when to stop is decided by whoever drives it.

use std::time::{Duration, Instant};

use hilarm_link::{Decoder, DeviceEvent, Encoder, FrameError, FromDevice, ToDevice};
use hilarm_model::Now;
use hilarm_network::LinkInput;
use rustix::event::{PollFd, PollFlags};

use super::frames::Received;
use super::ledger::Ledger;
use super::noise::{Noise, is_boot, is_noise};
use super::readiness::wait;
use super::{Frames, Parts, WireError};
use crate::{DeviceFault, DeviceOutput};

/// After this long without a word the host is asked: it may know of a panic.
pub(super) const TROUBLE_POLL: Duration = Duration::from_millis(200);
/// How often a wire without a descriptor is asked.
pub(super) const BLIND_POLL: Duration = Duration::from_millis(1);
/// Ends a frame of the link; alone it is none.
const DELIMITER: u8 = 0;
/// Reads before the time limit is looked at again, so that a firmware that never falls silent is bounded too.
const READS_MAX: u32 = 64;

/// One device's wires, and the accounts of them.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) parts: Parts,
    encoder: Encoder,
    decoder: Decoder,
    /// Encoded messages that the wire had no room for yet.
    outbox: Vec<u8>,
    pub(super) ledger: Ledger,
    /// What a noisy wire has said before the firmware did.
    noise: Noise,
    /// Of every wait.
    pub(super) limit: Duration,
}

/// What came since the last look. Frames first, reports second: the order of two sockets is nobody's, so it is
/// fixed here.
#[derive(Default)]
struct Arrivals {
    frames: Vec<DeviceOutput>,
    reports: Vec<DeviceOutput>,
}

impl Exchange {
    pub(super) fn new(parts: Parts, limit: Duration) -> Self {
        // A delimiter ends whatever the device has taken for the beginning of a frame.
        let outbox = if parts.wire.is_noisy() { vec![DELIMITER] } else { Vec::new() };
        Self {
            parts,
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            outbox,
            ledger: Ledger::new(),
            noise: Noise::default(),
            limit,
        }
    }

    /// Queues a message for the link.
    pub(super) fn send(&mut self, message: &ToDevice) {
        self.outbox.extend(self.encoder.encode(message));
        self.ledger.message_sent();
    }

    /// A delimiter and a frame to nobody, uncounted; tells whether either left.
    #[cfg(feature = "probe")]
    pub(super) fn nudge(&mut self) -> bool {
        const TO_ALL_ABOUT_NOTHING: [u8; 60] = [0xFF; 60];
        let by_wire = self.parts.wire.send(&[DELIMITER]).is_ok_and(|sent| sent > 0);
        let by_frame = match &self.parts.frames {
            Frames::Socket(socket) => {
                socket.send(&TO_ALL_ABOUT_NOTHING, Instant::now() + TROUBLE_POLL).unwrap_or_default()
            }
            Frames::OverLink => false,
        };
        by_wire || by_frame
    }

    pub(super) fn send_frame(&mut self, frame: Vec<u8>) -> Result<(), DeviceFault> {
        match &self.parts.frames {
            Frames::OverLink => {
                self.send(&ToDevice::Network(frame));
                Ok(())
            }
            Frames::Socket(socket) => {
                let sent = socket.send(&frame, Instant::now() + self.limit);
                self.ledger.frame_sent();
                self.delivered(sent)
            }
        }
    }

    /// Tells the device the time.
    pub(super) fn grant(&mut self, now: Now) -> Result<(), DeviceFault> {
        let grant = ToDevice::Time(self.ledger.next_grant(now));
        match &self.parts.frames {
            Frames::OverLink => {
                self.send(&grant);
                Ok(())
            }
            Frames::Socket(socket) => {
                let sent = socket.send_message(&grant, Instant::now() + self.limit);
                self.delivered(sent)
            }
        }
    }

    fn delivered(&mut self, sent: Result<bool, WireError>) -> Result<(), DeviceFault> {
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.silent("room on the network")),
            Err(error) => Err(self.lost("sending a frame", &error)),
        }
    }

    /// Whether all that was said has left.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Passes on what there is, both ways, until `done` says so; what came goes to `output`.
    pub(super) fn pass_until(
        &mut self,
        done: impl Fn(&Self) -> Result<bool, DeviceFault>,
        output: &mut Vec<DeviceOutput>,
        waited_for: &str,
    ) -> Result<(), DeviceFault> {
        let give_up = Instant::now() + self.limit;
        let mut ask_host_at = Instant::now() + TROUBLE_POLL;
        let mut arrivals = Arrivals::default();
        loop {
            self.pass(&mut arrivals)?;
            if done(self)? {
                output.append(&mut arrivals.frames);
                output.append(&mut arrivals.reports);
                return Ok(());
            }
            let now = Instant::now();
            if now >= give_up {
                return Err(self.silent(if self.is_flushed() { waited_for } else { "room on the link" }));
            }
            if !self.wait_for_more(give_up, now) && now >= ask_host_at {
                ask_host_at = now + TROUBLE_POLL;
                if let Some(fault) = self.parts.host.trouble() {
                    return Err(fault);
                }
            }
        }
    }

    /// Writes what there is room for and reads what has come: one after the other, so neither end can block the
    /// other by never reading.
    fn pass(&mut self, arrivals: &mut Arrivals) -> Result<(), DeviceFault> {
        self.flush()?;
        self.read_frames(arrivals)?;
        self.read_link(arrivals)
    }

    /// Waits until there is something to read or room to write; false after a while with neither.
    fn wait_for_more(&self, give_up: Instant, now: Instant) -> bool {
        let link_flags = if self.outbox.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let link = self.parts.wire.readiness().map(|link| PollFd::from_borrowed_fd(link, link_flags));
        let patience = if link.is_some() { TROUBLE_POLL } else { BLIND_POLL };
        let frames = match &self.parts.frames {
            Frames::Socket(socket) => Some(PollFd::from_borrowed_fd(socket.readiness(), PollFlags::IN)),
            Frames::OverLink => None,
        };
        let soon = give_up.min(now + patience);
        match (link, frames) {
            (Some(link), Some(frames)) => wait(&mut [link, frames], soon).is_ok(),
            (Some(one), None) | (None, Some(one)) => wait(&mut [one], soon).is_ok(),
            (None, None) => wait(&mut [], soon).is_ok(),
        }
    }

    fn flush(&mut self) -> Result<(), DeviceFault> {
        while !self.outbox.is_empty() {
            match self.parts.wire.send(&self.outbox) {
                Ok(0) => return Ok(()),
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) => return Err(self.lost("writing to the link", &error)),
            }
        }
        Ok(())
    }

    fn read_frames(&mut self, arrivals: &mut Arrivals) -> Result<(), DeviceFault> {
        let Frames::Socket(socket) = &self.parts.frames else { return Ok(()) };
        for _ in 0..READS_MAX {
            match socket.receive() {
                Ok(None) => break,
                Ok(Some(Received::Frame(frame))) => {
                    self.ledger.frame_received();
                    arrivals.frames.push(DeviceOutput::Link(LinkInput::Frame(frame)));
                }
                Ok(Some(Received::Message(Ok(FromDevice::Time(idle))))) => self.ledger.idled(idle),
                Ok(Some(Received::Message(Ok(_)))) => {}
                Ok(Some(Received::Message(Err(error)))) => return Err(DeviceFault::Link(error)),
                Err(error) => return Err(self.lost("receiving frames", &error)),
            }
        }
        Ok(())
    }

    fn read_link(&mut self, arrivals: &mut Arrivals) -> Result<(), DeviceFault> {
        let mut buffer = [0; 4096];
        for _ in 0..READS_MAX {
            match self.parts.wire.receive(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.decode(&buffer[..length], arrivals)?,
                Err(error) => return Err(self.lost("reading the link", &error)),
            }
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], arrivals: &mut Arrivals) -> Result<(), DeviceFault> {
        for &byte in bytes {
            let waits_for_boot = self.ledger.boot_nonce().is_none() && self.parts.wire.is_noisy();
            if waits_for_boot {
                self.noise.add(byte);
            }
            match self.decoder.push::<FromDevice>(byte) {
                None => {}
                Some(Ok(message)) if waits_for_boot && !is_boot(&message) => {}
                Some(Ok(message)) => self.take(message, arrivals)?,
                Some(Err(error)) if waits_for_boot && is_noise(error) => {}
                Some(Err(error)) => return Err(self.link_fault(error)),
            }
        }
        Ok(())
    }

    /// A sequence that begins anew in the middle is a reboot: a byte stream of the kernel's loses nothing. The
    /// nonce of that boot has not come yet, and counts as 0.
    fn link_fault(&self, error: FrameError) -> DeviceFault {
        match (error, self.ledger.boot_nonce()) {
            (FrameError::Gap { got: 0, .. }, Some(first)) => DeviceFault::Rebooted { first, second: 0 },
            _ => DeviceFault::Link(error),
        }
    }

    fn take(&mut self, message: FromDevice, arrivals: &mut Arrivals) -> Result<(), DeviceFault> {
        if let FromDevice::Time(idle) = message {
            if matches!(self.parts.frames, Frames::OverLink) {
                self.ledger.idled(idle);
            }
            return Ok(());
        }
        self.ledger.message_received();
        match message {
            FromDevice::Network(frame) if matches!(self.parts.frames, Frames::OverLink) => {
                arrivals.frames.push(DeviceOutput::Link(LinkInput::Frame(frame)));
            }
            other => {
                if let FromDevice::Event(DeviceEvent::Booted { nonce, .. }) = &other
                    && let Some(first) = self.ledger.booted(*nonce)
                {
                    return Err(DeviceFault::Rebooted { first, second: *nonce });
                }
                arrivals.reports.push(DeviceOutput::Report(other));
            }
        }
        Ok(())
    }

    /// The fault of a device that said nothing in time.
    fn silent(&mut self, waited_for: &str) -> DeviceFault {
        if let Some(trouble) = self.parts.host.trouble() {
            return trouble;
        }
        if self.ledger.boot_nonce().is_none() && self.noise.bytes > 0 {
            return self.noise.fault(self.limit);
        }
        let unfinished = match self.decoder.unfinished_bytes() {
            0 => String::new(),
            bytes => format!("; the link stopped in the middle of a frame, after {bytes} bytes"),
        };
        DeviceFault::Silent {
            waited_for: waited_for.to_owned(),
            limit: self.limit,
            detail: unfinished + &self.parts.host.detail(),
        }
    }

    fn lost(&mut self, doing: &'static str, error: &WireError) -> DeviceFault {
        match error {
            WireError::Gone { .. } => self.parts.host.lost(doing, error),
            WireError::Io { error } => DeviceFault::Io { doing, error: error.clone() },
        }
    }
}
