//! Whether a file has the shape of a scenario. Walks the tree along the JSON schema that the types generate,
//! and reports every deviation with its place: serde would stop at the first.
//!
//! It knows the part of JSON Schema that our types produce, not more.

mod choice;
mod scalar;

use std::ops::Range;

use serde_json::{Map, Value};

use crate::error::Report;
use crate::json_schema::shape;
use crate::node::{Content, Entry, Meaning, Node};
use crate::problem::Problem;
use crate::suggest::Suggestion;

/// Reports everything that keeps the tree from being a scenario.
pub(crate) fn check(root: &Node, report: &mut Report) {
    let start = root.range.start;
    Walk { report }.node(root, &(start..start), shape());
}

struct Walk<'a> {
    report: &'a mut Report,
}

type Schema = Map<String, Value>;

impl Walk<'_> {
    /// Checks one part. `label` is what to underline when the part itself has no text: its key.
    fn node(&mut self, node: &Node, label: &Range<usize>, schema: &Value) {
        let Some(schema) = resolve(schema, node) else { return };
        if matches!(node.content, Content::Poisoned) {
            return;
        }
        if schema.contains_key("oneOf") {
            return self.choice(node, label, schema);
        }
        match type_of(schema) {
            Some("object") => self.object(node, label, schema),
            Some("array") => self.array(node, label, schema),
            Some(_) => self.scalar(node, label, schema),
            None => {}
        }
    }

    fn object(&mut self, node: &Node, label: &Range<usize>, schema: &Schema) {
        let Content::Map(entries) = &node.content else {
            return self.wrong_type(node, label, "a map".to_owned());
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut meant = Vec::new();
        for entry in entries {
            match properties.and_then(|properties| properties.get(&entry.key)) {
                Some(property) => self.node(&entry.value, &entry.key_range, property),
                None => meant.extend(self.other_key(entry, schema)),
            }
        }
        let missing = required(schema).filter(|key| node.get(key).is_none() && !meant.contains(key));
        let missing: Vec<String> = missing.map(str::to_owned).collect();
        for key in missing {
            let shown = if label.is_empty() { first_key(node) } else { label.clone() };
            self.report.add_within(node.range.start, shown, Problem::MissingKey { key });
        }
    }

    /// A key that is no named property: one of a map's own, or unknown. Answers which key was meant.
    fn other_key<'s>(&mut self, entry: &Entry, schema: &'s Schema) -> Option<&'s str> {
        let free = schema.get("additionalProperties");
        if free == Some(&Value::Bool(false)) {
            return self.unknown_key(entry, schema);
        }
        if let Some(names) = schema.get("propertyNames").and_then(Value::as_object) {
            self.text(&entry.key, &entry.key_range, names);
        }
        if let Some(free) = free {
            self.node(&entry.value, &entry.key_range, free);
        }
        None
    }

    fn unknown_key<'s>(&mut self, entry: &Entry, schema: &'s Schema) -> Option<&'s str> {
        let known = || schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let suggestion = Suggestion::new(&entry.key, known().map(String::as_str));
        let meant = suggestion.nearest.clone();
        self.report.add(entry.key_range.clone(), Problem::UnknownKey { key: entry.key.clone(), suggestion });
        known().map(String::as_str).find(|known| Some(*known) == meant.as_deref())
    }

    fn array(&mut self, node: &Node, label: &Range<usize>, schema: &Schema) {
        let Content::List(items) = &node.content else {
            return self.wrong_type(node, label, "a list".to_owned());
        };
        if items.is_empty() && schema.get("minItems").is_some() {
            self.report.add(node.range.clone(), Problem::EmptyList);
        }
        if let Some(item_schema) = schema.get("items") {
            for item in items {
                self.node(item, label, item_schema);
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, label: &Range<usize>, expected: String) {
        let found = found(node);
        self.report.add(visible(node, label), Problem::WrongType { expected, found });
    }
}

/// Follows references, and chooses among several forms by what the file holds. Nothing: anything goes.
fn resolve<'s>(schema: &'s Value, node: &Node) -> Option<&'s Schema> {
    let mut schema = schema.as_object()?;
    loop {
        schema = if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            shape().pointer(reference.trim_start_matches('#'))?.as_object()?
        } else if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            only.as_object()?
        } else if let Some(forms) = schema.get("anyOf").and_then(Value::as_array) {
            forms.iter().find(|form| suits(form, node)).or(forms.first())?.as_object()?
        } else {
            return Some(schema);
        };
    }
}

/// Whether a form is meant for such a part at all.
fn suits(form: &Value, node: &Node) -> bool {
    let Some(form) = resolve(form, node) else { return true };
    match (&node.content, type_of(form)) {
        (Content::Map(_), form_type) => form_type == Some("object"),
        (Content::List(_), form_type) => form_type == Some("array"),
        (Content::Scalar(scalar), Some("integer")) => matches!(scalar.meaning(), Meaning::Int(_)),
        (Content::Scalar(scalar), Some("string")) => matches!(scalar.meaning(), Meaning::Text(_)),
        _ => false,
    }
}

fn type_of(schema: &Schema) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

fn required(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn first_key(node: &Node) -> Range<usize> {
    node.entries().first().map_or(node.range.clone(), |entry| entry.key_range.clone())
}

/// What to underline: the part, or its key if the part is empty.
fn visible(node: &Node, label: &Range<usize>) -> Range<usize> {
    if node.range.is_empty() { label.clone() } else { node.range.clone() }
}

/// What a part is, for messages.
pub(crate) fn found(node: &Node) -> String {
    match &node.content {
        Content::List(_) => "a list".to_owned(),
        Content::Map(_) => "a map".to_owned(),
        Content::Poisoned => "nothing".to_owned(),
        Content::Scalar(scalar) => match scalar.meaning() {
            Meaning::Null => "nothing".to_owned(),
            Meaning::Bool(truth) => format!("the boolean `{truth}`"),
            Meaning::Int(_) | Meaning::Float(_) => format!("the number `{}`", scalar.text),
            Meaning::Text(text) => format!("the text `{text}`"),
        },
    }
}
