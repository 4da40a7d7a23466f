//! Enums: single words, and single-key maps such as steps.

use std::ops::Range;

use serde_json::Value;

use super::scalar::{noun, word};
use super::{Schema, Walk, first_key};
use crate::node::{Content, Node};
use crate::problem::Problem;

/// What a file can choose from.
#[derive(Default)]
struct Alternatives<'s> {
    /// Words without a value.
    words: Vec<&'s str>,
    /// Keys with the schema of their value.
    keys: Vec<(&'s str, &'s Value)>,
}

impl<'s> Alternatives<'s> {
    fn of(schema: &'s Schema) -> Self {
        let mut all = Self::default();
        for form in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let listed = form.get("enum").and_then(Value::as_array).into_iter().flatten();
            all.words.extend(listed.chain(form.get("const")).filter_map(Value::as_str));
            let properties = form.get("properties").and_then(Value::as_object);
            all.keys.extend(properties.into_iter().flatten().map(|(key, value)| (key.as_str(), value)));
        }
        all
    }

    fn names(&self) -> Vec<&'s str> {
        self.keys.iter().map(|(key, _)| *key).chain(self.words.iter().copied()).collect()
    }

    fn key(&self, name: &str) -> Option<&'s Value> {
        self.keys.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

impl Walk<'_> {
    pub(super) fn choice(&mut self, node: &Node, label: &Range<usize>, schema: &Schema) {
        let all = Alternatives::of(schema);
        match &node.content {
            Content::Map(entries) => match entries.as_slice() {
                [entry] => match all.key(&entry.key) {
                    Some(value) => self.node(&entry.value, &entry.key_range, value),
                    None if all.words.contains(&entry.key.as_str()) => {
                        let word = entry.key.clone();
                        self.report.add(entry.key_range.clone(), Problem::WordAlone { word });
                    }
                    None => self.unknown_word(&entry.key, &entry.key_range, schema, &all.names()),
                },
                _ => self.not_single_key(node, schema),
            },
            Content::Scalar(scalar) => match word(scalar) {
                Some(word) if all.words.contains(&word) => {}
                Some(word) if all.key(word).is_some() => {
                    self.report.add(node.range.clone(), Problem::WordNeedsValue { word: word.to_owned() });
                }
                Some(word) => self.unknown_word(word, &node.range, schema, &all.names()),
                None => self.wrong_type(node, label, article(schema)),
            },
            _ => self.wrong_type(node, label, article(schema)),
        }
    }

    fn not_single_key(&mut self, node: &Node, schema: &Schema) {
        // A map whose only key was refused before is no news.
        if node.entries().is_empty() && !self.report.is_sound(node) {
            return;
        }
        let shown = node.entries().get(1).map_or_else(|| first_key(node), |second| second.key_range.clone());
        let (noun, found) = (article(schema), node.entries().len());
        self.report.add(shown, Problem::NotSingleKey { noun, found });
    }
}

fn article(schema: &Schema) -> String {
    let noun = noun(schema);
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
