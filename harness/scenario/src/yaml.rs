//! From a sound [`Node`] tree to types. The only room that knows serde_yaml.

use serde::de::DeserializeOwned;
use serde_yaml::with::singleton_map_recursive;
use serde_yaml::{Mapping, Number, Value};

use crate::node::{Content, Meaning, Node, Scalar};

/// Decodes a part of the file; steps and other tagged enums are single-key maps.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, serde_yaml::Error> {
    singleton_map_recursive::deserialize(value(node))
}

fn value(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(scalar) => scalar_value(scalar),
        Content::List(items) => items.iter().map(value).collect::<Vec<_>>().into(),
        Content::Map(entries) => {
            let entry = |entry: &crate::node::Entry| (entry.key.clone().into(), value(&entry.value));
            entries.iter().map(entry).collect::<Mapping>().into()
        }
        Content::Poisoned => Value::Null,
    }
}

fn scalar_value(scalar: &Scalar) -> Value {
    match scalar.meaning() {
        Meaning::Null => Value::Null,
        Meaning::Bool(truth) => truth.into(),
        Meaning::Int(number) => integer(number),
        Meaning::Float(number) => number.into(),
        Meaning::Text(text) => text.into(),
    }
}

fn integer(number: i128) -> Value {
    let fitting =
        u64::try_from(number).map(Number::from).or_else(|_| i64::try_from(number).map(Number::from));
    // Only free values (payloads, properties) can hold such a number, and JSON would make it a float too.
    Value::Number(fitting.unwrap_or_else(|_| Number::from(number as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Report;
    use crate::read::read;

    #[test]
    fn our_reading_of_yaml_is_that_of_serde_yaml() {
        let text = r#"
            block: { plain: text, single: 'it''s', double: "a\tb", empty: , tilde: ~ }
            list: [1, -2, 0x1F, 0o17, 2.5, 1e3, .inf, true, False, 010, 61m, 2026-01-01, 203.0.113.66:1883]
            literal: |
              two
              lines
            folded: >-
              one
              line
            big: 18446744073709551615
        "#;
        let mut report = Report::new("x.yaml".into(), text);
        let ours = value(&read(text, &mut report).unwrap());
        report.finish(Some(())).unwrap();
        assert_eq!(ours, serde_yaml::from_str::<Value>(text).unwrap());
    }
}
