//! Where things stand in a source text: byte ranges inside, lines and columns outside.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A place in a file: for people (line and column) and for tools (offset and length).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Offset in bytes from the start of the file.
    pub offset: usize,
    /// Length in bytes; never goes past the end of the line.
    pub len: usize,
}

/// Turns byte ranges of a text into positions.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    source: String,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(source: &str) -> Self {
        let after_breaks =
            source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { source: source.to_owned(), starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The text of a line counted from 1, without its line break.
    pub(crate) fn text(&self, line: usize) -> &str {
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied();
        let end = self.starts.get(line).copied().unwrap_or(self.source.len());
        let text = start.and_then(|start| self.source.get(start..end)).unwrap_or_default();
        text.trim_end_matches(['\n', '\r'])
    }

    /// The position of a range; what goes past the end of its first line is cut off.
    pub(crate) fn position(&self, range: &Range<usize>) -> Position {
        let offset = self.source.floor_char_boundary(range.start);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let text = self.text(line);
        let before = self.source.get(start..offset).unwrap_or_default();
        let rest = text.get(offset - start..).unwrap_or_default();
        let end = self.source.ceil_char_boundary(range.end.min(self.source.len()));
        let len = end.saturating_sub(offset).min(rest.trim_end().len());
        Position { line, column: before.chars().count() + 1, offset, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_offsets_count_bytes() {
        let lines = Lines::new("a: 1\r\nü: zwei # x\n");
        let start = "a: 1\r\nü: ".len();
        let position = lines.position(&(start..start + 4));
        assert_eq!(position, Position { line: 2, column: 4, offset: start, len: 4 });
        assert_eq!(lines.text(1), "a: 1");
        assert_eq!(lines.text(2), "ü: zwei # x");
    }

    #[test]
    fn a_range_of_several_lines_ends_with_the_first() {
        let lines = Lines::new("a:\n  b: 1   \n  c: 2\n");
        assert_eq!(lines.position(&(5..20)), Position { line: 2, column: 3, offset: 5, len: 4 });
    }

    #[test]
    fn a_position_never_splits_a_character() {
        let position = Lines::new("aü").position(&(1..2));
        assert_eq!((position.offset, position.len), (1, 2));
        assert_eq!(Lines::new("aü").position(&(2..2)).offset, 1);
    }

    #[test]
    fn the_end_of_the_text_has_a_position() {
        assert_eq!(Lines::new("a").position(&(9..12)), Position { line: 1, column: 2, offset: 1, len: 0 });
        assert_eq!(Lines::new("").position(&(0..0)), Position { line: 1, column: 1, offset: 0, len: 0 });
        assert_eq!(Lines::new("a\n").position(&(2..2)).line, 2);
        assert_eq!(Lines::new("a\n").text(7), "");
    }
}
