//! Framing: COBS around channel, sequence, body and CRC-16/XMODEM, ended by a zero byte.

use alloc::vec::Vec;
use core::fmt;

use crc::{CRC_16_XMODEM, Crc};

/// The longest frame accepted, encoded; an Ethernet frame with room to spare, and a device configuration.
pub const MAX_FRAME_BYTES: usize = 16 * 1024;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
const HEADER_BYTES: usize = 2;
const CRC_BYTES: usize = 2;

/// Why bytes between two delimiters were no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A COBS code points past the end.
    Cobs,
    /// Too short to hold a channel, a sequence number and a checksum.
    Short,
    /// The checksum does not match: the frame was damaged on the way.
    Crc,
    /// Longer than [`MAX_FRAME_BYTES`]; bytes are dropped up to the next delimiter.
    TooLong,
    /// The channel is not known to this version of the link.
    Channel(u8),
    /// The body does not decode as its channel's message.
    Body,
    /// The sequence number jumped: frames were lost before this one.
    Gap {
        /// The sequence number expected.
        expected: u8,
        /// The sequence number that came.
        got: u8,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cobs => f.write_str("damaged framing"),
            Self::Short => f.write_str("frame too short"),
            Self::Crc => f.write_str("checksum mismatch"),
            Self::TooLong => write!(f, "frame longer than {MAX_FRAME_BYTES} bytes"),
            Self::Channel(channel) => write!(f, "unknown channel {channel}: another version of the link?"),
            Self::Body => f.write_str("body does not decode: another version of the link?"),
            Self::Gap { expected, got } => write!(f, "sequence jumped from {expected} to {got}"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Wraps a body into an encoded frame, delimiter included.
pub(crate) fn encode(channel: u8, sequence: u8, body: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(HEADER_BYTES + body.len() + CRC_BYTES);
    raw.push(channel);
    raw.push(sequence);
    raw.extend_from_slice(body);
    let crc = CRC.checksum(&raw);
    raw.extend_from_slice(&crc.to_le_bytes());
    cobs_encode(&raw)
}

fn cobs_encode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 254 + 2);
    let mut code_at = out.len();
    out.push(0);
    let mut code = 1u8;
    for &byte in raw {
        if byte != 0 {
            out.push(byte);
            code += 1;
        }
        if byte == 0 || code == 0xFF {
            out[code_at] = code;
            code_at = out.len();
            out.push(0);
            code = 1;
        }
    }
    out[code_at] = code;
    out.push(0);
    out
}

fn cobs_decode(encoded: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&code, tail)) = rest.split_first() {
        let run = usize::from(code).checked_sub(1).ok_or(FrameError::Cobs)?;
        let (data, tail) = tail.split_at_checked(run).ok_or(FrameError::Cobs)?;
        out.extend_from_slice(data);
        rest = tail;
        if code != 0xFF && !rest.is_empty() {
            out.push(0);
        }
    }
    Ok(out)
}

/// A frame as taken off the wire: channel, sequence number, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) channel: u8,
    pub(crate) sequence: u8,
    pub(crate) body: Vec<u8>,
}

fn unwrap_frame(encoded: &[u8]) -> Result<RawFrame, FrameError> {
    let mut raw = cobs_decode(encoded)?;
    if raw.len() < HEADER_BYTES + CRC_BYTES {
        return Err(FrameError::Short);
    }
    let crc_at = raw.len() - CRC_BYTES;
    let expected = u16::from_le_bytes([raw[crc_at], raw[crc_at + 1]]);
    if CRC.checksum(&raw[..crc_at]) != expected {
        return Err(FrameError::Crc);
    }
    raw.truncate(crc_at);
    let (channel, sequence) = (raw[0], raw[1]);
    raw.drain(..HEADER_BYTES);
    Ok(RawFrame { channel, sequence, body: raw })
}

/// Splits a byte stream into frames. After any damage it finds its feet at the next delimiter.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    overlong: bool,
    next_sequence: Option<u8>,
}

impl Decoder {
    /// An empty decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a frame that has begun and not ended.
    pub fn unfinished_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Takes one byte; answers when it completes a frame or reveals a damaged one.
    pub(crate) fn push_raw(&mut self, byte: u8) -> Option<Result<RawFrame, FrameError>> {
        if byte != 0 {
            if self.pending.len() >= MAX_FRAME_BYTES {
                self.overlong = true;
            } else {
                self.pending.push(byte);
            }
            return None;
        }
        let overlong = core::mem::take(&mut self.overlong);
        if self.pending.is_empty() {
            return None;
        }
        let frame = if overlong { Err(FrameError::TooLong) } else { unwrap_frame(&self.pending) };
        self.pending.clear();
        Some(frame)
    }

    /// Notes a frame's sequence number and tells whether frames were lost before it.
    pub(crate) fn check_sequence(&mut self, got: u8) -> Result<(), FrameError> {
        let expected = self.next_sequence.replace(got.wrapping_add(1));
        match expected {
            Some(expected) if expected != got => Err(FrameError::Gap { expected, got }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_all(bytes: &[u8]) -> Vec<Result<RawFrame, FrameError>> {
        let mut decoder = Decoder::new();
        bytes.iter().filter_map(|&byte| decoder.push_raw(byte)).collect()
    }

    proptest! {
        #[test]
        fn every_body_comes_back(channel: u8, sequence: u8, body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let encoded = encode(channel, sequence, &body);
            prop_assert_eq!(encoded.iter().filter(|byte| **byte == 0).count(), 1, "only the delimiter is zero");
            prop_assert_eq!(decode_all(&encoded), [Ok(RawFrame { channel, sequence, body })]);
        }

        #[test]
        fn noise_never_panics_and_the_next_frame_survives(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = noise;
            bytes.push(0);
            bytes.extend(encode(1, 7, b"still here"));
            let frames = decode_all(&bytes);
            let last = frames.last().expect("at least the good frame");
            prop_assert_eq!(last, &Ok(RawFrame { channel: 1, sequence: 7, body: b"still here".to_vec() }));
        }

        #[test]
        fn a_flipped_bit_is_noticed(body in proptest::collection::vec(any::<u8>(), 1..300), at: usize, bit in 0u8..8) {
            let mut encoded = encode(3, 0, &body);
            let at = at % (encoded.len() - 1);
            encoded[at] ^= 1 << bit;
            let good = Ok(RawFrame { channel: 3, sequence: 0, body });
            prop_assert!(!decode_all(&encoded).contains(&good));
        }
    }

    #[test]
    fn a_truncated_frame_is_reported_and_skipped() {
        let mut bytes = encode(1, 0, b"cut short");
        bytes.truncate(5);
        bytes.push(0);
        assert!(matches!(
            decode_all(&bytes)[..],
            [Err(FrameError::Cobs | FrameError::Crc | FrameError::Short)]
        ));
    }

    #[test]
    fn an_endless_frame_stays_within_bounds() {
        let mut decoder = Decoder::new();
        for _ in 0..MAX_FRAME_BYTES * 3 {
            assert_eq!(decoder.push_raw(1), None);
        }
        assert!(decoder.unfinished_bytes() <= MAX_FRAME_BYTES);
        assert_eq!(decoder.push_raw(0), Some(Err(FrameError::TooLong)));
        assert_eq!(decoder.unfinished_bytes(), 0);
    }
}
