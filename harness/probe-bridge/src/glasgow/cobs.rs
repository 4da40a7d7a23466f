//! Consistent Overhead Byte Stuffing, and packets cut from a stream at the zero bytes.
//!
//! Never holds more than one packet's limit of bytes that are not a packet yet.

/// The longest packet taken. The driver's largest batch, one kilobyte of words, is about 1,300 bytes.
pub(crate) const PACKET_BYTES_MAX: usize = 64 * 1024;

/// A run holds at most this many bytes that are not zero.
const RUN_BYTES_MAX: usize = 254;

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CobsError {
    /// A run's length reaches beyond the end, or a zero stands inside.
    #[error("a damaged packet")]
    Damaged,
    /// No packet end within the limit.
    #[error("a packet longer than {PACKET_BYTES_MAX} bytes")]
    TooLong,
}

/// The encoding of `data`, with the zero that ends it.
pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(data.len() + data.len() / RUN_BYTES_MAX + 2);
    let mut runs = data.split(|byte| *byte == 0).peekable();
    while let Some(run) = runs.next() {
        encode_run(run, runs.peek().is_none(), &mut encoded);
    }
    encoded.push(0);
    encoded
}

/// A run between zeros: full pieces carry no zero, the last piece stands for the zero or the end.
fn encode_run(run: &[u8], last: bool, encoded: &mut Vec<u8>) {
    let mut rest = run;
    while rest.len() >= RUN_BYTES_MAX {
        let (piece, after) = rest.split_at(RUN_BYTES_MAX);
        encoded.push(0xFF);
        encoded.extend_from_slice(piece);
        rest = after;
    }
    if last && rest.is_empty() && !run.is_empty() {
        return;
    }
    encoded.push(rest.len() as u8 + 1);
    encoded.extend_from_slice(rest);
}

/// The data of one packet, given without its final zero.
pub(crate) fn decode(packet: &[u8]) -> Result<Vec<u8>, CobsError> {
    let mut data = Vec::with_capacity(packet.len());
    let mut rest = packet;
    while let Some((&code, after)) = rest.split_first() {
        let length = usize::from(code).checked_sub(1).ok_or(CobsError::Damaged)?;
        let run = after.get(..length).ok_or(CobsError::Damaged)?;
        if run.contains(&0) {
            return Err(CobsError::Damaged);
        }
        data.extend_from_slice(run);
        rest = &after[length..];
        if code != 0xFF && !rest.is_empty() {
            data.push(0);
        }
    }
    Ok(data)
}

/// Cuts a stream into packets.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    partial: Vec<u8>,
}

impl Deframer {
    /// Takes bytes as they came; returns the data of the packets that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CobsError> {
        let mut packets = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == 0);
        // `split` always has a last piece, which no zero ends.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.append(piece)?;
            packets.push(decode(&std::mem::take(&mut self.partial))?);
        }
        self.append(last)?;
        Ok(packets)
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), CobsError> {
        if self.partial.len() + piece.len() > PACKET_BYTES_MAX {
            return Err(CobsError::TooLong);
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_paper_encode_as_printed() {
        let cases: [(&[u8], &[u8]); 5] = [
            (&[], &[1, 0]),
            (&[0], &[1, 1, 0]),
            (&[0, 0], &[1, 1, 1, 0]),
            (&[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33, 0]),
            (&[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1, 0]),
        ];
        for (data, encoded) in cases {
            assert_eq!(encode(data), encoded, "{data:02x?}");
        }
    }

    #[test]
    fn a_full_run_carries_no_zero() {
        let data: Vec<u8> = (1..=254).collect();
        let encoded = encode(&data);
        assert_eq!((encoded[0], encoded.len()), (0xFF, 256));
        assert_eq!(decode(&encoded[..255]), Ok(data));
    }

    #[test]
    fn a_run_beyond_the_end_is_damaged() {
        assert_eq!(decode(&[5, 1, 2]), Err(CobsError::Damaged));
        assert_eq!(decode(&[3, 1, 0]), Err(CobsError::Damaged));
    }

    #[test]
    fn a_packet_without_end_is_refused_within_the_limit() {
        let mut deframer = Deframer::default();
        let piece = [1; 1024];
        let refused = (0..1000).find_map(|_| deframer.push(&piece).err());
        assert_eq!(refused, Some(CobsError::TooLong));
        assert!(deframer.partial.len() <= PACKET_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_in_pieces_of_any_size(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..5),
            size in 1usize..700,
        ) {
            let stream: Vec<u8> = packets.iter().flat_map(|packet| encode(packet)).collect();
            let mut deframer = Deframer::default();
            let mut decoded = Vec::new();
            for piece in stream.chunks(size) {
                decoded.extend(deframer.push(piece).unwrap());
            }
            prop_assert_eq!(decoded, packets);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_stay_bounded(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut deframer = Deframer::default();
            if let Ok(packets) = deframer.push(&bytes) {
                prop_assert!(packets.iter().map(Vec::len).sum::<usize>() <= bytes.len());
            }
        }
    }
}
