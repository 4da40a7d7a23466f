//! Numbers, booleans and texts.

use std::ops::Range;

use serde_json::Value;

use super::{Schema, Walk, type_of, visible};
use crate::node::{Content, Meaning, Node, Scalar};
use crate::problem::Problem;
use crate::schema::format::Format;
use crate::suggest::Suggestion;

impl Walk<'_> {
    pub(super) fn scalar(&mut self, node: &Node, label: &Range<usize>, schema: &Schema) {
        let Content::Scalar(scalar) = &node.content else {
            return self.wrong_type(node, label, expected(schema));
        };
        let shown = visible(node, label);
        match (type_of(schema), scalar.meaning()) {
            (Some("boolean"), Meaning::Bool(_)) | (Some("number"), Meaning::Float(_)) => {}
            (Some("integer" | "number"), Meaning::Int(number)) => self.number(number, &shown, schema),
            (Some("string"), Meaning::Text(text)) => self.text(text, &shown, schema),
            (Some("string"), Meaning::Int(_)) if is_duration(schema) => {
                self.text(&scalar.text, &shown, schema)
            }
            _ => self.wrong_type(node, label, expected(schema)),
        }
    }

    fn number(&mut self, number: i128, shown: &Range<usize>, schema: &Schema) {
        let (least, most) = bounds(schema);
        if !(least..=most).contains(&number) {
            // A bound that only the machine sets is nothing to read about.
            let endless = most == i128::from(u64::MAX) && number < least;
            let range = if endless { format!("at least {least}") } else { format!("{least} to {most}") };
            self.report.add(shown.clone(), Problem::OutOfRange { value: number.to_string(), range });
        }
    }

    /// Checks a text, or the key of a map.
    pub(super) fn text(&mut self, text: &str, shown: &Range<usize>, schema: &Schema) {
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            if !words.contains(&text) {
                self.unknown_word(text, shown, schema, &words);
            }
        }
        if let Some(format) = format(schema)
            && let Err(problem) = format.check(text)
        {
            self.report.add(shown.clone(), problem);
        }
    }

    pub(super) fn unknown_word(&mut self, word: &str, shown: &Range<usize>, schema: &Schema, known: &[&str]) {
        let suggestion = Suggestion::new(word, known.iter().copied());
        let (noun, word) = (noun(schema).to_owned(), word.to_owned());
        self.report.add(shown.clone(), Problem::UnknownWord { noun, word, suggestion });
    }
}

pub(super) fn noun(schema: &Schema) -> &str {
    schema.get("x-noun").and_then(Value::as_str).unwrap_or("word")
}

fn format(schema: &Schema) -> Option<Format> {
    schema.get("x-hilarm").and_then(Value::as_str).and_then(Format::named)
}

/// A bare `61` deserves a word about units, not about types.
fn is_duration(schema: &Schema) -> bool {
    schema.get("x-hilarm").and_then(Value::as_str) == Some("duration")
}

fn expected(schema: &Schema) -> String {
    match (type_of(schema), format(schema)) {
        (_, Some(format)) => format.noun().to_owned(),
        (Some("integer"), _) => "a whole number".to_owned(),
        (Some("number"), _) => "a number".to_owned(),
        (Some("boolean"), _) => "`true` or `false`".to_owned(),
        (Some("string"), _) if schema.contains_key("enum") => format!("the name of a known {}", noun(schema)),
        _ => "text".to_owned(),
    }
}

fn bounds(schema: &Schema) -> (i128, i128) {
    let (least, most) = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64" | "uint") => (0, u64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64).map(i128::from);
    (bound("minimum").unwrap_or(least), bound("maximum").unwrap_or(most))
}

/// The word that a scalar is, if it is one.
pub(super) fn word(scalar: &Scalar) -> Option<&str> {
    match scalar.meaning() {
        Meaning::Text(text) => Some(text),
        _ => None,
    }
}
