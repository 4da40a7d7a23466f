//! Reading FlatBuffers without generated code and without trust: tables, vtables, strings and vectors as
//! checked views of the bytes (FlatBuffers internals: offsets are little-endian; a table begins with the
//! signed distance back to its vtable, which may therefore lie on either side).

use super::budget::{Budget, Overspent};

/// What is wrong with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("an offset or length leads out of the buffer")]
    OutOfBounds,
    #[error("a vtable is malformed")]
    Vtable,
    #[error("the required field {0} is missing")]
    Missing(&'static str),
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("{value} is no {name} of this schema")]
    Unknown { name: &'static str, value: u8 },
    #[error("offsets are shared so often that the message outgrows its buffer")]
    Amplified,
}

/// A buffer, with a budget of work in proportion to its length. Builders share vtables and strings, but
/// a message whose tables are shared a thousandfold is an attack.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    bytes: &'a [u8],
    budget: Budget,
}

impl<'a> Buffer<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, budget: Budget::of(bytes.len()) }
    }

    pub(crate) fn root(&self) -> Result<Table<'a, '_>, Invalid> {
        self.table(self.follow(0)?)
    }

    fn spend(&self, work: usize) -> Result<(), Invalid> {
        self.budget.spend(work).map_err(|Overspent| Invalid::Amplified)
    }

    fn array<const N: usize>(&self, position: usize) -> Result<[u8; N], Invalid> {
        let bytes = self.slice(position, N)?;
        bytes.try_into().map_err(|_| Invalid::OutOfBounds)
    }

    fn slice(&self, position: usize, length: usize) -> Result<&'a [u8], Invalid> {
        let end = position.checked_add(length).ok_or(Invalid::OutOfBounds)?;
        self.bytes.get(position..end).ok_or(Invalid::OutOfBounds)
    }

    fn u16(&self, position: usize) -> Result<u16, Invalid> {
        self.array(position).map(u16::from_le_bytes)
    }

    fn u32(&self, position: usize) -> Result<u32, Invalid> {
        self.array(position).map(u32::from_le_bytes)
    }

    /// The position that the unsigned offset at `position` leads to.
    fn follow(&self, position: usize) -> Result<usize, Invalid> {
        let offset = usize::try_from(self.u32(position)?).map_err(|_| Invalid::OutOfBounds)?;
        position.checked_add(offset).ok_or(Invalid::OutOfBounds)
    }

    fn table(&self, position: usize) -> Result<Table<'a, '_>, Invalid> {
        self.spend(1)?;
        let back = i64::from(self.array(position).map(i32::from_le_bytes)?);
        let position_signed = i64::try_from(position).map_err(|_| Invalid::OutOfBounds)?;
        let vtable = usize::try_from(position_signed - back).map_err(|_| Invalid::OutOfBounds)?;
        let vtable_bytes = usize::from(self.u16(vtable)?);
        let table_bytes = usize::from(self.u16(vtable + 2)?);
        if vtable_bytes < 4 || vtable_bytes % 2 != 0 || table_bytes < 4 {
            return Err(Invalid::Vtable);
        }
        self.slice(vtable, vtable_bytes)?;
        self.slice(position, table_bytes)?;
        Ok(Table { buffer: self, position, table_bytes, vtable, vtable_bytes })
    }
}

/// A table: its fields are found through its vtable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a, 'b> {
    buffer: &'b Buffer<'a>,
    position: usize,
    table_bytes: usize,
    vtable: usize,
    vtable_bytes: usize,
}

impl<'a, 'b> Table<'a, 'b> {
    /// Where a field of `width` bytes lies; `None` when it is absent and has its default.
    fn field(&self, slot: usize, width: usize) -> Result<Option<usize>, Invalid> {
        let entry = 4 + 2 * slot;
        if entry + 2 > self.vtable_bytes {
            return Ok(None);
        }
        let offset = usize::from(self.buffer.u16(self.vtable + entry)?);
        match offset {
            0 => Ok(None),
            _ if offset < 4 || offset + width > self.table_bytes => Err(Invalid::Vtable),
            _ => Ok(Some(self.position + offset)),
        }
    }

    /// Takes from the buffer's budget what keeping the table costs beyond reading it.
    pub(crate) fn spend(&self, work: usize) -> Result<(), Invalid> {
        self.buffer.spend(work)
    }

    pub(crate) fn u8(&self, slot: usize) -> Result<u8, Invalid> {
        let field = self.field(slot, 1)?;
        field.map_or(Ok(0), |position| self.buffer.array(position).map(u8::from_le_bytes))
    }

    pub(crate) fn u16(&self, slot: usize) -> Result<u16, Invalid> {
        self.field(slot, 2)?.map_or(Ok(0), |position| self.buffer.u16(position))
    }

    pub(crate) fn u32(&self, slot: usize) -> Result<u32, Invalid> {
        self.field(slot, 4)?.map_or(Ok(0), |position| self.buffer.u32(position))
    }

    pub(crate) fn u64(&self, slot: usize) -> Result<u64, Invalid> {
        let field = self.field(slot, 8)?;
        field.map_or(Ok(0), |position| self.buffer.array(position).map(u64::from_le_bytes))
    }

    /// A struct, which lies in the table itself.
    pub(crate) fn structure<const N: usize>(
        &self,
        slot: usize,
        name: &'static str,
    ) -> Result<[u8; N], Invalid> {
        let position = self.field(slot, N)?.ok_or(Invalid::Missing(name))?;
        self.buffer.array(position)
    }

    fn reference(&self, slot: usize) -> Result<Option<usize>, Invalid> {
        self.field(slot, 4)?.map(|position| self.buffer.follow(position)).transpose()
    }

    pub(crate) fn table(&self, slot: usize, name: &'static str) -> Result<Table<'a, 'b>, Invalid> {
        self.buffer.table(self.reference(slot)?.ok_or(Invalid::Missing(name))?)
    }

    pub(crate) fn string(&self, slot: usize) -> Result<Option<&'a str>, Invalid> {
        let Some(position) = self.reference(slot)? else { return Ok(None) };
        let length = usize::try_from(self.buffer.u32(position)?).map_err(|_| Invalid::OutOfBounds)?;
        self.buffer.spend(length)?;
        let bytes = self.buffer.slice(position + 4, length)?;
        str::from_utf8(bytes).map(Some).map_err(|_| Invalid::NotUtf8)
    }

    /// A vector of structs of `N` bytes each; an absent one is `None`.
    pub(crate) fn structures<const N: usize>(
        &self,
        slot: usize,
    ) -> Result<Option<impl Iterator<Item = Result<[u8; N], Invalid>> + use<'a, 'b, N>>, Invalid> {
        let Some(position) = self.reference(slot)? else { return Ok(None) };
        let buffer = self.buffer;
        let length = usize::try_from(buffer.u32(position)?).map_err(|_| Invalid::OutOfBounds)?;
        let elements = position + 4;
        buffer.slice(elements, length.checked_mul(N).ok_or(Invalid::OutOfBounds)?)?;
        buffer.spend(length)?;
        Ok(Some((0..length).map(move |index| buffer.array(elements + N * index))))
    }

    /// A vector of tables; an absent one is `None`.
    pub(crate) fn tables(
        &self,
        slot: usize,
    ) -> Result<Option<impl Iterator<Item = Result<Table<'a, 'b>, Invalid>> + use<'a, 'b>>, Invalid> {
        let Some(position) = self.reference(slot)? else { return Ok(None) };
        let buffer = self.buffer;
        let length = usize::try_from(buffer.u32(position)?).map_err(|_| Invalid::OutOfBounds)?;
        let elements = position + 4;
        buffer.slice(elements, length.checked_mul(4).ok_or(Invalid::OutOfBounds)?)?;
        Ok(Some((0..length).map(move |index| buffer.table(buffer.follow(elements + 4 * index)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_at_the_very_end_without_fields_is_read() {
        // Root offset 8; vtable at 4 (4 bytes, table of 4); the table points 4 back.
        let bytes = [8, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0];
        let buffer = Buffer::new(&bytes);
        assert_eq!(buffer.root().unwrap().u32(0), Ok(0));
    }

    #[test]
    fn a_vtable_after_its_table_is_read() {
        // Root offset 4; the table points 4 forward.
        let bytes = [4, 0, 0, 0, 0xFC, 0xFF, 0xFF, 0xFF, 4, 0, 4, 0];
        assert!(Buffer::new(&bytes).root().is_ok());
    }

    #[test]
    fn odd_short_and_outlying_vtables_are_refused() {
        for (vtable, why) in [
            ([5, 0, 4, 0], Invalid::Vtable),
            ([2, 0, 4, 0], Invalid::Vtable),
            ([4, 0, 0, 0], Invalid::Vtable),
            ([6, 0, 4, 0], Invalid::OutOfBounds),
            ([4, 0, 200, 0], Invalid::OutOfBounds),
        ] {
            let bytes = [&[4, 0, 0, 0, 0xFC, 0xFF, 0xFF, 0xFF], &vtable[..]].concat();
            assert_eq!(Buffer::new(&bytes).root().unwrap_err(), why, "{vtable:?}");
        }
    }

    #[test]
    fn an_empty_buffer_and_a_wild_root_are_refused() {
        assert_eq!(Buffer::new(&[]).root().unwrap_err(), Invalid::OutOfBounds);
        assert_eq!(Buffer::new(&[0xFF; 8]).root().unwrap_err(), Invalid::OutOfBounds);
    }
}
