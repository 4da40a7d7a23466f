//! Values of two forms. Serde's own untagged enums answer every mistake with "did not match any variant".

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Advance, Argument, HubOnly};
use crate::duration::Span;

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArgumentVisitor)
    }
}

struct ArgumentVisitor;

impl Visitor<'_> for ArgumentVisitor {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or text")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Argument, E> {
        Ok(Argument::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Argument, E> {
        i64::try_from(number).map(Argument::Int).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Argument, E> {
        Ok(Argument::Text(text.to_owned()))
    }
}

impl JsonSchema for Argument {
    fn schema_name() -> Cow<'static, str> {
        "Argument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A parameter of a behaviour: a number, or text (an address, the name of a certificate).",
            "anyOf": [{ "type": "integer", "format": "int64" }, { "type": "string" }],
        })
    }
}

impl<'de> Deserialize<'de> for Advance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AdvanceVisitor)
    }
}

struct AdvanceVisitor;

impl<'de> Visitor<'de> for AdvanceVisitor {
    type Value = Advance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration, or `hub:` with a duration")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Advance, E> {
        text.parse::<Span>().map(Advance::World).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Advance, A::Error> {
        HubOnly::deserialize(MapAccessDeserializer::new(map)).map(Advance::HubOnly)
    }
}

impl JsonSchema for Advance {
    fn schema_name() -> Cow<'static, str> {
        "Advance".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let world = generator.subschema_for::<Span>();
        let hub_only = generator.subschema_for::<HubOnly>();
        json_schema!({ "description": "A jump of the calendar.", "anyOf": [world, hub_only] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_back() {
        for json in [r#""1h""#, r#"{"hub":"1h"}"#] {
            let advance: Advance = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&advance).unwrap(), json);
        }
        for json in ["-3", r#""192.0.2.1""#] {
            let argument: Argument = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&argument).unwrap(), json);
        }
    }

    #[test]
    fn what_is_neither_is_refused_in_words() {
        let advance = |json: &str| serde_json::from_str::<Advance>(json).unwrap_err().to_string();
        assert!(
            advance("61").contains("expected a duration, or `hub:` with a duration"),
            "{}",
            advance("61")
        );
        assert!(advance(r#"{"hubs":"1h"}"#).contains("unknown field `hubs`, expected `hub`"));
        let argument = |json: &str| serde_json::from_str::<Argument>(json).unwrap_err().to_string();
        assert!(argument("true").contains("expected a whole number or text"), "{}", argument("true"));
        assert!(argument("18446744073709551615").contains("the number is too large"));
    }
}
