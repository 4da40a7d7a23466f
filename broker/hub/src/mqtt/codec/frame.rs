//! Cutting packets out of a byte stream: fixed header and remaining length, without looking further.

use super::Violation;

/// One whole packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The first byte: type and flags.
    pub(crate) head: u8,
    /// Variable header and payload.
    pub(crate) body: &'a [u8],
    /// Fixed header included.
    pub(crate) whole: &'a [u8],
}

/// The first packet of `bytes`; `None` while it is incomplete. What cannot become a packet is refused as
/// soon as its first bytes tell.
pub(crate) fn split(bytes: &[u8], bytes_max: usize) -> Result<Option<Frame<'_>>, Violation> {
    let Some((&head, rest)) = bytes.split_first() else { return Ok(None) };
    check_head(head)?;
    let Some((length, width)) = remaining_length(rest)? else { return Ok(None) };
    let total = 1 + width + length;
    if total > bytes_max {
        return Err(Violation::PacketTooLarge(bytes_max));
    }
    let Some(whole) = bytes.get(..total) else { return Ok(None) };
    Ok(Some(Frame { head, body: whole.get(1 + width..).unwrap_or_default(), whole }))
}

/// Types that clients send, and their reserved flags (2.2.2).
fn check_head(head: u8) -> Result<(), Violation> {
    let flags = match head >> 4 {
        3 => return Ok(()),
        8 | 10 => 2,
        1 | 4 | 12 | 14 => 0,
        // PUBREC, PUBREL, PUBCOMP: only quality of service 2 needs them.
        5..=7 => return Err(Violation::QoS2),
        other => return Err(Violation::PacketType(other)),
    };
    if head & 0x0F == flags { Ok(()) } else { Err(Violation::FixedHeaderFlags) }
}

/// Remaining length (2.2.3) and how many bytes it took.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Violation::RemainingLength) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 256 * 1024;

    #[test]
    fn a_packet_is_cut_only_when_it_is_whole() {
        let bytes = [0xC0, 0, 0x30, 3, 0];
        let frame = split(&bytes, MAX).unwrap().unwrap();
        assert_eq!((frame.head, frame.body, frame.whole.len()), (0xC0, &[][..], 2));
        assert_eq!(split(&bytes[2..], MAX), Ok(None));
        assert_eq!(split(&[], MAX), Ok(None));
    }

    #[test]
    fn an_oversized_packet_is_refused_from_its_header_alone() {
        assert_eq!(split(&[0x30, 0xFD, 0xFF, 0x0F], MAX), Err(Violation::PacketTooLarge(MAX)));
        assert_eq!(split(&[0x30, 0xFC, 0xFF, 0x0F], MAX), Ok(None), "one byte less");
    }

    #[test]
    fn a_fifth_length_byte_is_refused_and_four_are_awaited() {
        assert_eq!(split(&[0x30, 0xFF, 0xFF, 0xFF], MAX), Ok(None));
        assert_eq!(split(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], MAX), Err(Violation::RemainingLength));
    }

    #[test]
    fn types_and_flags_that_clients_may_not_send_are_refused_at_the_first_byte() {
        for (head, why) in [
            (0x00, Violation::PacketType(0)),
            (0x20, Violation::PacketType(2)),
            (0xF0, Violation::PacketType(15)),
            (0x11, Violation::FixedHeaderFlags),
            (0x80, Violation::FixedHeaderFlags),
            (0x50, Violation::QoS2),
        ] {
            assert_eq!(split(&[head], MAX), Err(why), "{head:#x}");
        }
    }
}
