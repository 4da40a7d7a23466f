//! A small FlatBuffers writer (the binary format of the FlatBuffers documentation, "Internals"): scalars,
//! structs, strings, vectors of tables, tables with shared vtables. It writes back to front, as the format
//! wants: children before their parents.
//!
//! It knows no schema; [`crate::security_message`] does.

use alloc::vec::Vec;

/// Where an object begins, counted from the end of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset(usize);

const OFFSET_BYTES: usize = 4;

/// Builds one buffer. Nothing here needs an alignment above 4.
#[derive(Default)]
pub(crate) struct Builder {
    /// The buffer, last byte first.
    reversed: Vec<u8>,
    /// Vtables already written, each with where it begins.
    vtables: Vec<(Vec<u8>, Offset)>,
}

impl Builder {
    /// A string: length, bytes, and a NUL that the length leaves out.
    pub(crate) fn string(&mut self, text: &str) -> Offset {
        self.align(OFFSET_BYTES, text.len() + 1);
        self.push(&[0]);
        self.push(text.as_bytes());
        self.push(&(text.len() as u32).to_le_bytes());
        self.here()
    }

    /// A vector of tables.
    pub(crate) fn vector(&mut self, items: &[Offset]) -> Offset {
        self.align(OFFSET_BYTES, 0);
        for &item in items.iter().rev() {
            self.push_offset(item);
        }
        self.push(&(items.len() as u32).to_le_bytes());
        self.here()
    }

    /// Begins a table; nothing else can be written until it is finished.
    pub(crate) fn table(&mut self) -> Table<'_> {
        let end = self.reversed.len();
        Table { builder: self, end, fields: Vec::new() }
    }

    /// The finished buffer with its root table.
    pub(crate) fn finish(mut self, root: Offset) -> Vec<u8> {
        self.align(OFFSET_BYTES, OFFSET_BYTES);
        self.push_offset(root);
        self.reversed.reverse();
        self.reversed
    }

    fn here(&self) -> Offset {
        Offset(self.reversed.len())
    }

    /// Pads so that after `ahead` more bytes the position is a multiple of `alignment`.
    fn align(&mut self, alignment: usize, ahead: usize) {
        let length = (self.reversed.len() + ahead).next_multiple_of(alignment) - ahead;
        self.reversed.resize(length, 0);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.reversed.extend(bytes.iter().rev());
    }

    /// References are relative to their own place, and point forward.
    fn push_offset(&mut self, target: Offset) {
        let own_place = self.reversed.len() + OFFSET_BYTES;
        self.push(&((own_place - target.0) as u32).to_le_bytes());
    }
}

/// A table being written. Fields that hold their default are left out.
pub(crate) struct Table<'a> {
    builder: &'a mut Builder,
    end: usize,
    /// Slot in the vtable, and where the field begins.
    fields: Vec<(usize, usize)>,
}

impl Table<'_> {
    /// A byte; the default is 0.
    pub(crate) fn byte(self, slot: usize, value: u8) -> Self {
        if value == 0 { self } else { self.inline(slot, &[value], 1) }
    }

    /// A 16-bit number; the default is 0.
    pub(crate) fn short(self, slot: usize, value: u16) -> Self {
        if value == 0 { self } else { self.inline(slot, &value.to_le_bytes(), 2) }
    }

    /// A 32-bit number; the default is 0.
    pub(crate) fn word(self, slot: usize, value: u32) -> Self {
        if value == 0 { self } else { self.inline(slot, &value.to_le_bytes(), 4) }
    }

    /// A struct, or any other field written whatever its value.
    pub(crate) fn inline(mut self, slot: usize, bytes: &[u8], alignment: usize) -> Self {
        self.builder.align(alignment, bytes.len());
        self.builder.push(bytes);
        self.note(slot);
        self
    }

    /// A reference to a string, vector or table.
    pub(crate) fn reference(mut self, slot: usize, target: Offset) -> Self {
        self.builder.align(OFFSET_BYTES, OFFSET_BYTES);
        self.builder.push_offset(target);
        self.note(slot);
        self
    }

    /// Ends the table: its vtable, shared with an equal one written before.
    pub(crate) fn finish(self) -> Offset {
        let builder = self.builder;
        builder.align(OFFSET_BYTES, OFFSET_BYTES);
        builder.push(&[0; OFFSET_BYTES]);
        let table = builder.here();
        let vtable = vtable(&self.fields, table.0, table.0 - self.end);
        let known = builder.vtables.iter().find(|(bytes, _)| *bytes == vtable).map(|&(_, at)| at);
        let vtable_at = known.unwrap_or_else(|| {
            builder.push(&vtable);
            let at = builder.here();
            builder.vtables.push((vtable, at));
            at
        });
        // Signed, and counted backwards from the table.
        let distance = (vtable_at.0 as i64 - table.0 as i64) as i32;
        for (place, byte) in builder.reversed[..table.0].iter_mut().rev().zip(distance.to_le_bytes()) {
            *place = byte;
        }
        table
    }

    fn note(&mut self, slot: usize) {
        self.fields.push((slot, self.builder.reversed.len()));
    }
}

/// Length of the vtable, length of the table, then each field's distance from the start of the table.
fn vtable(fields: &[(usize, usize)], table: usize, table_bytes: usize) -> Vec<u8> {
    let slots = fields.iter().map(|&(slot, _)| slot + 1).max().unwrap_or(0);
    let mut words = alloc::vec![0u16; 2 + slots];
    words[0] = (words.len() * 2) as u16;
    words[1] = table_bytes as u16;
    for &(slot, at) in fields {
        words[2 + slot] = (table - at) as u16;
    }
    words.into_iter().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_its_vtable_and_the_way_to_it() {
        let mut builder = Builder::default();
        let root = builder.table().finish();
        let bytes = builder.finish(root);
        assert_eq!(bytes, [8, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0]);
    }

    #[test]
    fn equal_tables_share_one_vtable() {
        let size = |count: usize| {
            let mut builder = Builder::default();
            let items: Vec<_> = (0..count).map(|_| builder.table().word(0, 7).finish()).collect();
            let vector = builder.vector(&items);
            let root = builder.table().reference(0, vector).finish();
            builder.finish(root).len()
        };
        assert_eq!(size(3) - size(2), 4 + 4 + 4, "reference, way to the vtable, field");
    }

    #[test]
    fn strings_end_in_nul_and_are_aligned() {
        for text in ["", "a", "ab", "abc", "abcd"] {
            let mut builder = Builder::default();
            let string = builder.string(text);
            let root = builder.table().reference(0, string).finish();
            let bytes = builder.finish(root);
            assert_eq!(bytes.len() % 4, 0);
            let at = bytes.len() - (text.len() + 1).next_multiple_of(4);
            assert_eq!(bytes[at - 4..at], (text.len() as u32).to_le_bytes());
            assert_eq!(&bytes[at..at + text.len()], text.as_bytes());
            assert_eq!(bytes[at + text.len()], 0);
        }
    }
}
