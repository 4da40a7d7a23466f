//! The YAML tree with the byte range of every part. It owes nothing to the shape of scenarios.

use std::ops::Range;

/// A part of the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) range: Range<usize>,
    /// What it is.
    pub(crate) content: Content,
}

/// What a part of the file is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was reported already; nothing more is to be said about it.
    Poisoned,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_range: Range<usize>,
    pub(crate) value: Node,
}

/// A scalar as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes: it may be a number, a boolean or null.
    pub(crate) plain: bool,
}

/// A scalar as the core schema of YAML 1.2 reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key, if this is a map that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a map; none if it is something else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none if it is something else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar, quoted or not.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The range of the value of `key`, or of all of it if there is no such key.
    pub(crate) fn range_of(&self, key: &str) -> Range<usize> {
        self.get(key).unwrap_or(self).range.clone()
    }

    /// Whether an offset lies within.
    pub(crate) fn holds(&self, offset: usize) -> bool {
        self.range.start <= offset && offset < self.range.end.max(self.range.start + 1)
    }
}

impl Scalar {
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        if !self.plain {
            return Meaning::Text(&self.text);
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            text => number(text).unwrap_or(Meaning::Text(text)),
        }
    }
}

/// `010` is eight to YAML 1.1 and ten to YAML 1.2: like serde_yaml we take it for text.
fn number(text: &str) -> Option<Meaning<'static>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = unsigned.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') || leading_zero(unsigned) {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Meaning::Int);
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => Some(Meaning::Float(f64::NEG_INFINITY)),
        ".inf" | ".Inf" | ".INF" => Some(Meaning::Float(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" => Some(Meaning::Float(f64::NAN)),
        _ if unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) => {
            text.parse().ok().map(Meaning::Float)
        }
        _ => None,
    }
}

fn leading_zero(unsigned: &str) -> bool {
    let mut bytes = unsigned.bytes();
    bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
}

fn radix(text: &str, digits: &str, radix: u32) -> Option<Meaning<'static>> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(Meaning::Int(if text.starts_with('-') { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), plain: true }
    }

    #[test]
    fn plain_scalars_are_read_by_the_core_schema() {
        assert_eq!(plain("").meaning(), Meaning::Null);
        assert_eq!(plain("true").meaning(), Meaning::Bool(true));
        assert_eq!(plain("42").meaning(), Meaning::Int(42));
        assert_eq!(plain("-0x10").meaning(), Meaning::Int(-16));
        assert_eq!(plain("18446744073709551615").meaning(), Meaning::Int(u64::MAX.into()));
        assert_eq!(plain("2.5").meaning(), Meaning::Float(2.5));
        assert_eq!(plain("1e3").meaning(), Meaning::Float(1000.0));
        assert_eq!(plain("-.inf").meaning(), Meaning::Float(f64::NEG_INFINITY));
        for text in ["010", "1_000", "61m", "1.2.3.4", "-", "+", ".", "0x", "0x-1", "inf", "nan", "e3"] {
            assert_eq!(plain(text).meaning(), Meaning::Text(text), "{text}");
        }
    }

    #[test]
    fn a_quoted_scalar_is_text() {
        let quoted = Scalar { text: "42".to_owned(), plain: false };
        assert_eq!(quoted.meaning(), Meaning::Text("42"));
    }
}
