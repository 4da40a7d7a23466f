//! A format string with its arguments, as text.

use std::fmt::Write;

use defmt_parser::{DisplayHint, Fragment, Parameter, ParserMode, TimePrecision, Type};

use super::value::{Arguments, Nested, Value};

/// What an argument is shown as where its own place says nothing.
type Outer<'a> = Option<&'a DisplayHint>;

/// The text. A format string that does not parse stands for itself.
pub(super) fn render(format: &str, arguments: &Arguments<'_>, outer: Outer<'_>) -> String {
    let mut text = String::new();
    let Ok(fragments) = defmt_parser::parse(format, ParserMode::ForwardsCompatible) else {
        return format.to_owned();
    };
    for fragment in fragments {
        match fragment {
            Fragment::Literal(literal) => text.push_str(&literal),
            Fragment::Parameter(parameter) => {
                if let Some(value) = arguments.get(&parameter.index) {
                    text.push_str(&one(value, &parameter, outer));
                }
            }
        }
    }
    text
}

fn one(value: &Value<'_>, parameter: &Parameter, outer: Outer<'_>) -> String {
    let hint = parameter.hint.as_ref().or(outer);
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Char(value) => value.to_string(),
        Value::Single(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Unsigned(value) => match &parameter.ty {
            Type::BitField(bits) => unsigned(field(*value, bits), hint),
            _ => unsigned(*value, hint),
        },
        Value::Signed(value, bits) => signed(*value, *bits, hint),
        Value::Text(text) if hint == Some(&DisplayHint::Debug) => format!("{text:?}"),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => slice(bytes, hint),
        Value::Nested(nested) => inner(nested, hint),
        Value::List(list) => {
            format!("[{}]", list.iter().map(|one| inner(one, hint)).collect::<Vec<_>>().join(", "))
        }
        Value::Sequence(parts) => parts.iter().map(|part| inner(part, hint)).collect(),
    }
}

fn inner(nested: &Nested<'_>, hint: Outer<'_>) -> String {
    render(nested.format, &nested.arguments, hint)
}

fn field(value: u128, bits: &std::ops::Range<u8>) -> u128 {
    let width = u32::from(bits.end.saturating_sub(bits.start));
    let mask = 1_u128.checked_shl(width).map_or(u128::MAX, |beyond| beyond - 1);
    value.checked_shr(bits.start.into()).unwrap_or(0) & mask
}

fn unsigned(value: u128, hint: Outer<'_>) -> String {
    match hint {
        Some(DisplayHint::Seconds(precision)) => fraction(value, precision),
        Some(DisplayHint::NoHint { zero_pad }) => format!("{value:0width$}", width = bounded(*zero_pad)),
        Some(DisplayHint::Hexadecimal { .. } | DisplayHint::Octal { .. } | DisplayHint::Binary { .. }) => {
            digits(value, hint)
        }
        _ => value.to_string(),
    }
}

fn signed(value: i128, bits: u32, hint: Outer<'_>) -> String {
    match hint {
        // As the bits stand in the firmware's memory.
        Some(DisplayHint::Hexadecimal { .. } | DisplayHint::Octal { .. } | DisplayHint::Binary { .. }) => {
            digits(field(value as u128, &(0..bits as u8)), hint)
        }
        Some(DisplayHint::NoHint { zero_pad }) => format!("{value:0width$}", width = bounded(*zero_pad)),
        _ => value.to_string(),
    }
}

/// An image may ask for more zeros than anybody reads.
fn bounded(zero_pad: usize) -> usize {
    zero_pad.min(128)
}

fn digits(value: u128, hint: Outer<'_>) -> String {
    match hint {
        Some(&DisplayHint::Hexadecimal { alternate, uppercase, zero_pad }) => {
            let width = bounded(zero_pad);
            match (alternate, uppercase) {
                (false, false) => format!("{value:0width$x}"),
                (false, true) => format!("{value:0width$X}"),
                (true, false) => format!("{value:#0width$x}"),
                (true, true) => format!("{value:#0width$X}"),
            }
        }
        Some(&DisplayHint::Octal { alternate, zero_pad }) => {
            let width = bounded(zero_pad);
            if alternate { format!("{value:#0width$o}") } else { format!("{value:0width$o}") }
        }
        Some(&DisplayHint::Binary { alternate, zero_pad }) => {
            let width = bounded(zero_pad);
            if alternate { format!("{value:#0width$b}") } else { format!("{value:0width$b}") }
        }
        _ => value.to_string(),
    }
}

fn fraction(value: u128, precision: &TimePrecision) -> String {
    match precision {
        TimePrecision::Micros => format!("{}.{:06}", value / 1_000_000, value % 1_000_000),
        TimePrecision::Millis => format!("{}.{:03}", value / 1000, value % 1000),
        TimePrecision::Seconds => value.to_string(),
    }
}

fn slice(bytes: &[u8], hint: Outer<'_>) -> String {
    if hint == Some(&DisplayHint::Ascii) {
        return format!("b\"{}\"", bytes.escape_ascii());
    }
    let mut text = String::from("[");
    for (at, &byte) in bytes.iter().enumerate() {
        let between = if at == 0 { "" } else { ", " };
        // A string takes whatever is written to it.
        let _ = write!(text, "{between}{}", unsigned(byte.into(), hint));
    }
    text + "]"
}
