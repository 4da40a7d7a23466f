//! The applet's wire endpoint: transfers, and bit sequences that have no effect on an emulated wire.

use super::ProtocolError;
use crate::adi::debug_port::{Response, Transfer};

const KIND: u8 = 0xE0;
const TRANSFER: u8 = 0x00;
const SEQUENCE: u8 = 0x20;
const ACCESS_PORT: u8 = 1 << 0;
const READ: u8 = 1 << 1;
const ADDRESS: u8 = 0b1100;

const DATA_OK: u8 = 0x01;
const NO_DATA_OK: u8 = 0x11;
const NO_DATA_FAULT: u8 = 0x14;

/// The parser's state. Commands may be split over packets.
#[derive(Debug, Default)]
pub(crate) struct Swd {
    partial: Vec<u8>,
}

impl Swd {
    /// The transfers that the bytes complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Transfer>, ProtocolError> {
        self.partial.extend_from_slice(bytes);
        let mut transfers = Vec::new();
        let mut rest = self.partial.as_slice();
        while let Some((command, after)) = rest.split_first() {
            let word = after.split_first_chunk();
            match (command & KIND, word) {
                (TRANSFER, _) if command & READ != 0 => {
                    transfers.push(transfer(*command, None));
                    rest = after;
                }
                (TRANSFER | SEQUENCE, None) => break,
                (TRANSFER, Some((word, after))) => {
                    transfers.push(transfer(*command, Some(u32::from_le_bytes(*word))));
                    rest = after;
                }
                (SEQUENCE, Some((_, after))) => rest = after,
                _ => return Err(ProtocolError::SwdCommand(*command)),
            }
        }
        self.partial = rest.to_vec();
        Ok(transfers)
    }
}

fn transfer(command: u8, write: Option<u32>) -> Transfer {
    Transfer { access_port: command & ACCESS_PORT != 0, address: command & ADDRESS, write }
}

/// The answers as bytes.
pub(crate) fn encode(responses: &[Response], replies: &mut Vec<u8>) {
    for response in responses {
        match response {
            Response::Data(word) => {
                replies.push(DATA_OK);
                replies.extend(word.to_le_bytes());
            }
            Response::Written => replies.push(NO_DATA_OK),
            Response::Fault => replies.push(NO_DATA_FAULT),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_writes_and_sequences_are_told_apart() {
        let bytes = [0x20 | 8, 0xFF, 0, 0, 0, 0x02, 0x0D, 4, 3, 2, 1, 0x07];
        let expected = [
            Transfer { access_port: false, address: 0, write: None },
            Transfer { access_port: true, address: 0xC, write: Some(0x0102_0304) },
            Transfer { access_port: true, address: 4, write: None },
        ];
        assert_eq!(Swd::default().take(&bytes), Ok(expected.to_vec()));
    }

    #[test]
    fn a_write_waits_for_its_last_byte() {
        let mut swd = Swd::default();
        for byte in [0x00, 1, 0, 0] {
            assert_eq!(swd.take(&[byte]), Ok(vec![]));
        }
        assert_eq!(swd.take(&[0]).map(|transfers| transfers.len()), Ok(1));
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert_eq!(Swd::default().take(&[0x40]), Err(ProtocolError::SwdCommand(0x40)));
    }

    #[test]
    fn answers_are_as_the_driver_expects_them() {
        let mut replies = Vec::new();
        encode(&[Response::Data(1), Response::Written, Response::Fault], &mut replies);
        assert_eq!(replies, [0x01, 1, 0, 0, 0, 0x11, 0x14]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_stay_bounded(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut swd = Swd::default();
            for piece in pieces {
                if swd.take(&piece).is_err() {
                    break;
                }
                prop_assert!(swd.partial.len() < 5);
            }
        }
    }
}
