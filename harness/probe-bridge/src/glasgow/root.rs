//! The applet's root endpoint: identification, clock, reset line.

use super::ProtocolError;

const IDENTIFIER: &[u8] = b"probe-rs,v01";

/// The clock that the debugger divides. Nothing runs at it: transfers take as long as they take.
const REFERENCE_CLOCK_HZ: u32 = 48_000_000;

/// What a command asks of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetLine {
    Assert,
    Release,
}

/// The endpoint's state. Commands may be split over packets.
#[derive(Debug, Default)]
pub(crate) struct Root {
    partial: Vec<u8>,
    divisor: u16,
}

impl Root {
    /// Takes bytes for the root: replies go to `replies`, what concerns the core is returned in order.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        replies: &mut Vec<u8>,
    ) -> Result<Vec<ResetLine>, ProtocolError> {
        self.partial.extend_from_slice(bytes);
        let mut changes = Vec::new();
        let mut rest = self.partial.as_slice();
        while let Some((command, after)) = rest.split_first() {
            rest = after;
            match command {
                0x00 => replies.extend_from_slice(IDENTIFIER),
                0x10 => replies.extend(REFERENCE_CLOCK_HZ.to_le_bytes()),
                0x11 => replies.extend(self.divisor.to_le_bytes()),
                0x12 => {
                    let Some((divisor, after)) = after.split_first_chunk() else {
                        self.partial = [&[*command], after].concat();
                        return Ok(changes);
                    };
                    self.divisor = u16::from_le_bytes(*divisor);
                    rest = after;
                }
                0x20 => changes.push(ResetLine::Assert),
                0x21 => changes.push(ResetLine::Release),
                other => return Err(ProtocolError::RootCommand(*other)),
            }
        }
        self.partial.clear();
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(root: &mut Root, bytes: &[u8]) -> (Vec<ResetLine>, Vec<u8>) {
        let mut replies = Vec::new();
        (root.take(bytes, &mut replies).unwrap(), replies)
    }

    #[test]
    fn it_identifies_itself() {
        assert_eq!(answer(&mut Root::default(), &[0]), (vec![], b"probe-rs,v01".to_vec()));
    }

    #[test]
    fn the_divisor_reads_back_though_it_comes_in_pieces() {
        let mut root = Root::default();
        for piece in [&[0x12][..], &[0x2F], &[0x01]] {
            assert_eq!(answer(&mut root, piece), (vec![], vec![]));
        }
        assert_eq!(answer(&mut root, &[0x11]), (vec![], vec![0x2F, 0x01]));
    }

    #[test]
    fn the_reset_line_is_the_cores() {
        assert_eq!(answer(&mut Root::default(), &[0x20, 0x21]).0, [ResetLine::Assert, ResetLine::Release]);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert_eq!(Root::default().take(&[0x33], &mut Vec::new()), Err(ProtocolError::RootCommand(0x33)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_stay_bounded(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut root = Root::default();
            for piece in pieces {
                if root.take(&piece, &mut Vec::new()).is_err() {
                    break;
                }
                prop_assert!(root.partial.len() < 3);
            }
        }
    }
}
