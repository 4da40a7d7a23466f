//! The arguments of a format string, as bytes say them.

use std::collections::BTreeMap;

use defmt_parser::{Fragment, ParserMode, Type};

use super::table::{Role, Table};

/// A format within a format within ...
const DEPTH_MAX: u32 = 16;
/// Elements of a slice. They may take no bytes at all, so a frame's length does not bound them.
const ELEMENTS_MAX: usize = 1024;

/// Bytes that are no arguments of their format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Senseless;

/// The arguments of one format string, by number.
pub(super) type Arguments<'t> = BTreeMap<usize, Value<'t>>;

/// One argument.
#[derive(Debug)]
pub(super) enum Value<'t> {
    Bool(bool),
    Char(char),
    Single(f32),
    Double(f64),
    Unsigned(u128),
    /// With its width in bits.
    Signed(i128, u32),
    Text(String),
    Bytes(Vec<u8>),
    Nested(Nested<'t>),
    List(Vec<Nested<'t>>),
    /// Parts one behind the other.
    Sequence(Vec<Nested<'t>>),
}

/// A format string with its arguments.
#[derive(Debug)]
pub(super) struct Nested<'t> {
    pub(super) format: &'t str,
    pub(super) arguments: Arguments<'t>,
}

/// Reads arguments, one after the other.
pub(super) struct Reader<'t, 'b> {
    table: &'t Table,
    bytes: &'b [u8],
}

impl<'t, 'b> Reader<'t, 'b> {
    pub(super) fn new(table: &'t Table, bytes: &'b [u8]) -> Self {
        Self { table, bytes }
    }

    /// A number of so many bytes, the least significant first.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u128, Senseless> {
        let mut wide = [0; 16];
        wide.get_mut(..bytes).ok_or(Senseless)?.copy_from_slice(self.take(bytes)?);
        Ok(u128::from_le_bytes(wide))
    }

    fn take(&mut self, bytes: usize) -> Result<&'b [u8], Senseless> {
        let (taken, rest) = self.bytes.split_at_checked(bytes).ok_or(Senseless)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn small(&mut self, bytes: usize) -> Result<usize, Senseless> {
        usize::try_from(self.number(bytes)?).map_err(|_| Senseless)
    }

    fn signed(&mut self, bytes: usize) -> Result<Value<'t>, Senseless> {
        let bits = 8 * bytes as u32;
        let wide = self.number(bytes)?;
        // Moved up and down again, so that the sign spreads.
        let unused = 128 - bits;
        Ok(Value::Signed((wide << unused) as i128 >> unused, bits))
    }

    /// What a format string asks for, in the order of the arguments' numbers.
    pub(super) fn arguments(&mut self, format: &str, depth: u32) -> Result<Arguments<'t>, Senseless> {
        if depth > DEPTH_MAX {
            return Err(Senseless);
        }
        let mut arguments = Arguments::new();
        for (number, kind) in parameters(format)? {
            arguments.insert(number, self.value(&kind, depth)?);
        }
        Ok(arguments)
    }

    fn value(&mut self, kind: &Type, depth: u32) -> Result<Value<'t>, Senseless> {
        Ok(match kind {
            Type::Bool => match self.number(1)? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Senseless),
            },
            Type::Char => {
                let code = self.number(4)? as u32;
                Value::Char(char::from_u32(code).ok_or(Senseless)?)
            }
            Type::F32 => Value::Single(f32::from_bits(self.number(4)? as u32)),
            Type::F64 => Value::Double(f64::from_bits(self.number(8)? as u64)),
            Type::U8 => Value::Unsigned(self.number(1)?),
            Type::U16 => Value::Unsigned(self.number(2)?),
            Type::U32 | Type::Usize => Value::Unsigned(self.number(4)?),
            Type::U64 => Value::Unsigned(self.number(8)?),
            Type::U128 => Value::Unsigned(self.number(16)?),
            Type::I8 => self.signed(1)?,
            Type::I16 => self.signed(2)?,
            Type::I32 | Type::Isize => self.signed(4)?,
            Type::I64 => self.signed(8)?,
            Type::I128 => self.signed(16)?,
            Type::BitField(bits) => self.bit_field(bits)?,
            Type::Str => {
                let length = self.small(4)?;
                Value::Text(text(self.take(length)?)?)
            }
            Type::IStr => Value::Text(self.part()?.to_owned()),
            Type::Debug | Type::Display => Value::Text(self.preformatted()?),
            Type::U8Slice => {
                let length = self.small(4)?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            Type::U8Array(length) => Value::Bytes(self.take(*length)?.to_vec()),
            Type::Format => {
                let format = self.part()?;
                Value::Nested(self.nested(format, depth)?)
            }
            Type::FormatSlice => {
                let count = self.small(4)?;
                Value::List(self.elements(count, depth)?)
            }
            Type::FormatArray(count) => Value::List(self.elements(*count, depth)?),
            Type::FormatSequence => Value::Sequence(self.sequence(depth)?),
        })
    }

    /// The bytes that the bits lie in, at their place.
    fn bit_field(&mut self, bits: &std::ops::Range<u8>) -> Result<Value<'t>, Senseless> {
        let lowest = usize::from(bits.start) / 8;
        let highest = usize::from(bits.end.checked_sub(1).ok_or(Senseless)?) / 8;
        let bytes = (highest + 1).checked_sub(lowest).ok_or(Senseless)?.next_power_of_two();
        let shift = 8 * lowest as u32;
        Ok(Value::Unsigned(self.number(bytes)?.checked_shl(shift).ok_or(Senseless)?))
    }

    /// Text that the firmware has formatted itself; a byte that no text has ends it.
    fn preformatted(&mut self) -> Result<String, Senseless> {
        let end = self.bytes.iter().position(|&byte| byte == 0xFF).ok_or(Senseless)?;
        let said = text(self.take(end)?)?;
        self.take(1)?;
        Ok(said)
    }

    /// A part of the image's table.
    fn part(&mut self) -> Result<&'t str, Senseless> {
        let address = self.number(2)? as u16;
        match self.table.entry(address) {
            Some(entry) if entry.role == Role::Part => Ok(&entry.format),
            _ => Err(Senseless),
        }
    }

    fn nested(&mut self, format: &'t str, depth: u32) -> Result<Nested<'t>, Senseless> {
        let format = if format.contains('|') { self.variant(format)? } else { format };
        Ok(Nested { format, arguments: self.arguments(format, depth + 1)? })
    }

    /// One of the variants of an enumeration, which a format string lists with bars between.
    fn variant(&mut self, format: &'t str) -> Result<&'t str, Senseless> {
        let last = format.matches('|').count();
        let bytes = if last <= usize::from(u8::MAX) { 1 } else { 2 };
        let number = self.small(bytes)?;
        format.split('|').nth(number).ok_or(Senseless)
    }

    fn elements(&mut self, count: usize, depth: u32) -> Result<Vec<Nested<'t>>, Senseless> {
        let format = self.part()?;
        if count > ELEMENTS_MAX {
            return Err(Senseless);
        }
        (0..count).map(|_| self.nested(format, depth)).collect()
    }

    fn sequence(&mut self, depth: u32) -> Result<Vec<Nested<'t>>, Senseless> {
        let mut parts = Vec::new();
        // A zero ends it, and every part takes two bytes at least.
        while !self.bytes.starts_with(&[0, 0]) {
            let format = self.part()?;
            parts.push(Nested { format, arguments: self.arguments(format, depth + 1)? });
        }
        self.take(2)?;
        Ok(parts)
    }
}

fn text(bytes: &[u8]) -> Result<String, Senseless> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Senseless)
}

/// The parameters of a format string by number. Fields of bits of one argument come as one value.
fn parameters(format: &str) -> Result<BTreeMap<usize, Type>, Senseless> {
    let mut parameters = BTreeMap::new();
    for fragment in defmt_parser::parse(format, ParserMode::ForwardsCompatible).map_err(|_| Senseless)? {
        let Fragment::Parameter(parameter) = fragment else { continue };
        let kind = match (parameters.get(&parameter.index), parameter.ty) {
            (Some(Type::BitField(all)), Type::BitField(more)) => {
                Type::BitField(all.start.min(more.start)..all.end.max(more.end))
            }
            (_, kind) => kind,
        };
        parameters.insert(parameter.index, kind);
    }
    Ok(parameters)
}
