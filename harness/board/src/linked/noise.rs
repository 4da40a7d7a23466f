//! What comes over a noisy wire before the firmware says that it has booted: a boot loader's greeting, the last
//! words of an earlier boot, the crackle of plugging in. It is passed over, counted, and told when nothing better
//! follows.

use std::time::Duration;

use hilarm_link::{DeviceEvent, FrameError, FromDevice};

use crate::DeviceFault;

const SAMPLE_BYTES: usize = 16;

/// How much came, and how it began.
#[derive(Debug, Default)]
pub(super) struct Noise {
    pub(super) bytes: usize,
    sample: Vec<u8>,
}

impl Noise {
    pub(super) fn add(&mut self, byte: u8) {
        self.bytes = self.bytes.saturating_add(1);
        if self.sample.len() < SAMPLE_BYTES {
            self.sample.push(byte);
        }
    }

    pub(super) fn fault(&self, limit: Duration) -> DeviceFault {
        let sample = self.sample.escape_ascii().to_string();
        DeviceFault::Garbage { limit, bytes: self.bytes, sample }
    }
}

/// Whether this is the first that a firmware says.
pub(super) fn is_boot(message: &FromDevice) -> bool {
    matches!(message, FromDevice::Event(DeviceEvent::Booted { .. }))
}

/// Whether bytes that nobody meant as a frame look like this. A frame with the right checksum and a body that makes
/// no sense is no noise: it is a firmware with another version of the link.
pub(super) fn is_noise(error: FrameError) -> bool {
    match error {
        FrameError::Cobs
        | FrameError::Short
        | FrameError::Crc
        | FrameError::TooLong
        | FrameError::Gap { .. } => true,
        FrameError::Channel(_) | FrameError::Body => false,
    }
}
