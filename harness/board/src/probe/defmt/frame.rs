//! One frame: out of its encoding, and what it says.

use std::sync::Arc;

use hilarm_link::LogLevel;

use super::render::render;
use super::table::{Place, Role, Table};
use super::value::{Reader, Senseless};

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::probe) struct Statement {
    pub(in crate::probe) level: LogLevel,
    /// By the firmware's own clock, as it formats it.
    pub(in crate::probe) timestamp: Option<String>,
    pub(in crate::probe) text: String,
    pub(in crate::probe) place: Option<Arc<Place>>,
}

/// Reads an encoded frame, without the zero behind it.
pub(super) fn read(table: &Table, encoded: &[u8]) -> Result<Statement, Senseless> {
    let frame = decode(encoded)?;
    let mut reader = Reader::new(table, &frame);
    let address = reader.number(2)? as u16;
    let timestamp = match &table.timestamp {
        Some(format) => Some(render(format, &reader.arguments(format, 0)?, None)),
        None => None,
    };
    let entry = table.entry(address).ok_or(Senseless)?;
    let Role::Statement(level) = entry.role else { return Err(Senseless) };
    let text = render(&entry.format, &reader.arguments(&entry.format, 0)?, None);
    Ok(Statement { level: level.unwrap_or(LogLevel::Info), timestamp, text, place: entry.place.clone() })
}

/// Undoes `rzcobs`, which is read from its end. A byte below 0x80 stands behind seven bytes and says which of them
/// are zeros that were left out; one from 0x80 on stands behind a run without a zero, after which one was left out,
/// and 0xFF behind a run that goes on.
fn decode(encoded: &[u8]) -> Result<Vec<u8>, Senseless> {
    let mut backwards = Vec::with_capacity(2 * encoded.len());
    let mut rest = encoded.iter().rev().copied();
    while let Some(code) = rest.next() {
        let run = match code {
            0 => return Err(Senseless),
            0x01..=0x7F => {
                for bit in (0..7).rev() {
                    let left_out = code & (1 << bit) != 0;
                    backwards.push(if left_out { 0 } else { rest.next().ok_or(Senseless)? });
                }
                continue;
            }
            0x80..=0xFE => {
                backwards.push(0);
                usize::from(code & 0x7F) + 7
            }
            0xFF => 134,
        };
        for _ in 0..run {
            backwards.push(rest.next().ok_or(Senseless)?);
        }
    }
    backwards.reverse();
    Ok(backwards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PART: Role = Role::Part;
    const INFO: Role = Role::Statement(Some(LogLevel::Info));

    /// Encodes as the firmware's encoder does: seven bytes at a time, zeros as bits of the byte behind them.
    fn encode(plain: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        for chunk in plain.chunks(7) {
            let mut zeros = 0;
            for at in 0..7 {
                match chunk.get(at) {
                    Some(0) | None => zeros |= 1 << at,
                    Some(&byte) => encoded.push(byte),
                }
            }
            // Seven bytes without one belong to a run, which has another code.
            assert_ne!(zeros, 0, "the tests' frames have a zero in every seven bytes");
            encoded.push(zeros);
        }
        encoded
    }

    fn said(table: &Table, plain: &[u8]) -> Result<String, Senseless> {
        read(table, &encode(plain)).map(|statement| statement.text)
    }

    #[test]
    fn a_statement_has_its_level_its_time_and_its_arguments() {
        let table = Table::of(Some("{=u64:us}"), &[(5, INFO, "boot {=u64:016x} of {=str}, {=bool} {=i16}")]);
        let mut plain = vec![5, 0];
        plain.extend(1_500_000_u64.to_le_bytes());
        plain.extend(0xBEEF_u64.to_le_bytes());
        plain.extend([3, 0, 0, 0, b'a', b'b', b'c', 1, 0xFE]);
        plain.extend([0xFF]);
        let statement = read(&table, &encode(&plain)).unwrap();
        assert_eq!(statement.level, LogLevel::Info);
        assert_eq!(statement.timestamp.as_deref(), Some("1.500000"));
        assert_eq!(statement.text, "boot 000000000000beef of abc, true -2");
    }

    #[test]
    fn formats_nest_and_an_enumeration_shows_its_variant() {
        let entries = [
            (1, PART, "Point {{ x: {=u8}, y: {=u8} }}"),
            (2, PART, "Open|Closed({=u8})"),
            (9, INFO, "{} at {=?:x} and {=[?]}"),
        ];
        let table = Table::of(None, &entries);
        let plain = [9, 0, 2, 0, 1, 7, 1, 0, 16, 0, 2, 0, 0, 0, 1, 0, 1, 0, 2, 0];
        assert_eq!(
            said(&table, &plain).unwrap(),
            "Closed(7) at Point { x: 10, y: 0 } and [Point { x: 1, y: 0 }, Point { x: 2, y: 0 }]"
        );
    }

    #[test]
    fn bytes_bits_and_preformatted_text_are_shown_as_asked() {
        let table = Table::of(None, &[(3, INFO, "{0=[u8]:a} {1=0..4:b} {1=4..12} {2=__internal_Debug}")]);
        let plain = [3, 0, 2, 0, 0, 0, b'h', b'\n', 0x35, 0, b'x', 0xFF, 0];
        assert_eq!(said(&table, &plain).unwrap(), "b\"h\\n\" 101 3 x");
    }

    #[test]
    fn an_unknown_address_and_a_part_alone_are_no_statements() {
        let table = Table::of(None, &[(1, PART, "x")]);
        assert_eq!(said(&table, &[1, 0]), Err(Senseless));
        assert_eq!(said(&table, &[2, 0]), Err(Senseless));
    }

    #[test]
    fn a_frame_that_claims_more_than_it_holds_costs_nothing() {
        let entries = [(1, PART, "nothing"), (2, INFO, "{=[?]}"), (3, INFO, "{=str}"), (4, PART, "{}")];
        let table = Table::of(None, &entries);
        assert_eq!(said(&table, &[2, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0]), Err(Senseless));
        assert_eq!(said(&table, &[3, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0]), Err(Senseless));
        let endless: Vec<u8> = [2, 0, 1, 0, 0, 0].into_iter().chain([4, 0].repeat(1000)).collect();
        assert_eq!(said(&table, &endless), Err(Senseless), "formats within formats are bounded");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(encoded in prop::collection::vec(1_u8.., 0..300)) {
            let entries = [
                (1, PART, "A|B({=u8})"), (2, INFO, "{=[?]} {=str}"), (3, INFO, "{=?} {=f32} {=char}"),
                (4, INFO, "{0=120..128} {=__internal_FormatSequence}"), (5, PART, "{=[u8;4]:#010x} {=i128:x}"),
            ];
            let _ = read(&Table::of(Some("{=u32:ms}"), &entries), &encoded);
        }

        #[test]
        fn a_chunk_with_a_zero_comes_out_as_it_went_in(plain in prop::collection::vec(any::<[u8; 6]>(), 0..40)) {
            let plain: Vec<u8> = plain.iter().flat_map(|six| six.iter().copied().chain([0])).collect();
            prop_assert_eq!(decode(&encode(&plain)), Ok(plain));
        }
    }
}
