//! Packets of the GDB remote serial protocol: `$body#checksum`, escapes, run lengths, acknowledgements.
//!
//! Never holds more than one packet's limit of bytes. GDB manual, appendix E.1.

use super::hex;

/// The longest body taken. QEMU says 4,096 bytes in its `PacketSize`.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;

/// The checksum's digits.
const CHECKSUM_DIGITS: usize = 2;

/// One unit of what the stub sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// `+`: it has our packet.
    Ack,
    /// `-`: it could not read our packet.
    Nak,
    /// A packet's body, unescaped.
    Body(Vec<u8>),
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("a byte {0:#04x} between packets")]
    Stray(u8),
    #[error("a wrong checksum")]
    Checksum,
    #[error("a damaged escape or run length")]
    Damaged,
    #[error("a packet longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
}

/// The packet for a body that holds none of the characters to be escaped, as all commands here do.
pub(crate) fn encode(body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(body.len() + 4);
    packet.push(b'$');
    packet.extend_from_slice(body);
    packet.push(b'#');
    hex::push_bytes(&mut packet, &[checksum(body)]);
    packet
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Cuts what the stub sends into frames.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    bytes: Vec<u8>,
}

impl Deframer {
    /// Takes bytes as they came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame that is complete.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, PacketError> {
        match self.bytes.first().copied() {
            None => Ok(None),
            Some(b'+') => Ok(self.take_one(Frame::Ack)),
            Some(b'-') => Ok(self.take_one(Frame::Nak)),
            Some(b'$') => self.take_packet(),
            Some(other) => Err(PacketError::Stray(other)),
        }
    }

    fn take_one(&mut self, frame: Frame) -> Option<Frame> {
        self.bytes.remove(0);
        Some(frame)
    }

    fn take_packet(&mut self) -> Result<Option<Frame>, PacketError> {
        let limit = self.bytes.len().min(BODY_BYTES_MAX + 1);
        let Some(end) = self.bytes[..limit].iter().position(|byte| *byte == b'#') else {
            return if limit > BODY_BYTES_MAX { Err(PacketError::TooLong) } else { Ok(None) };
        };
        let after = end + 1 + CHECKSUM_DIGITS;
        let Some(digits) = self.bytes.get(end + 1..after) else { return Ok(None) };
        let raw = &self.bytes[1..end];
        if hex::byte(digits) != Some(checksum(raw)) {
            return Err(PacketError::Checksum);
        }
        let body = unescape(raw)?;
        self.bytes.drain(..after);
        Ok(Some(Frame::Body(body)))
    }
}

/// `}x` stands for `x ^ 0x20`; `x*n` for `x` and `n - 29` more of it.
fn unescape(raw: &[u8]) -> Result<Vec<u8>, PacketError> {
    let mut body = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'}' => body.push(rest.next().ok_or(PacketError::Damaged)? ^ 0x20),
            b'*' => repeat(&mut body, rest.next())?,
            plain => body.push(plain),
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(PacketError::TooLong);
        }
    }
    Ok(body)
}

fn repeat(body: &mut Vec<u8>, count: Option<u8>) -> Result<(), PacketError> {
    let more = count.and_then(|count| count.checked_sub(29)).ok_or(PacketError::Damaged)?;
    let last = *body.last().ok_or(PacketError::Damaged)?;
    body.extend(std::iter::repeat_n(last, usize::from(more)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(bytes: &[u8]) -> Result<Vec<Frame>, PacketError> {
        let mut deframer = Deframer::default();
        deframer.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = deframer.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn an_acknowledged_reply_is_two_frames() {
        assert_eq!(frames(b"+$OK#9a"), Ok(vec![Frame::Ack, Frame::Body(b"OK".to_vec())]));
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        assert_eq!(frames(b"$OK#9b"), Err(PacketError::Checksum));
        assert_eq!(frames(b"$OK#zz"), Err(PacketError::Checksum));
    }

    #[test]
    fn a_packet_waits_for_its_last_digit() {
        assert_eq!(frames(b"$OK#9"), Ok(vec![]));
        assert_eq!(frames(b"$OK"), Ok(vec![]));
    }

    #[test]
    fn escapes_and_run_lengths_are_undone() {
        assert_eq!(unescape(b"a}\x03b"), Ok(b"a#b".to_vec()));
        assert_eq!(unescape(b"0* "), Ok(b"0000".to_vec()));
        assert_eq!(unescape(b"*!"), Err(PacketError::Damaged));
        assert_eq!(unescape(b"x}"), Err(PacketError::Damaged));
    }

    #[test]
    fn what_stands_between_packets_is_refused() {
        assert_eq!(frames(b"x"), Err(PacketError::Stray(b'x')));
    }

    #[test]
    fn a_packet_without_end_is_refused_at_the_limit() {
        let mut endless = vec![b'$'];
        endless.resize(BODY_BYTES_MAX + 1, b'a');
        assert_eq!(frames(&endless), Err(PacketError::TooLong));
    }

    proptest! {
        #[test]
        fn a_command_decodes_to_itself(body in "[a-zA-Z0-9,:.;?]{0,100}") {
            let sent = Frame::Body(body.clone().into_bytes());
            prop_assert_eq!(frames(&encode(body.as_bytes())), Ok(vec![sent]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let _ = frames(&bytes);
            if let Ok(body) = unescape(&bytes) {
                prop_assert!(body.len() <= BODY_BYTES_MAX);
            }
        }
    }
}
