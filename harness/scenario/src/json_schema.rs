//! The JSON schema of scenario files: what the shape check walks, and what editors read.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::schema::Scenario;

/// The JSON schema of scenario files, pretty-printed; checked in as `scenarios/scenario.schema.json`.
pub fn json_schema() -> String {
    let mut published = shape().clone();
    published["properties"]["vars"] = variables();
    many(&mut published);
    published["title"] = json!("hilarm scenario");
    templated(&mut published);
    let mut text = serde_json::to_string_pretty(&sorted(published)).unwrap_or_default();
    text.push('\n');
    text
}

/// What stands for many devices and is spelled out before the shape is checked: ranges among the names of
/// devices, and the step that lets each of a range do the same.
fn many(published: &mut Value) {
    let names = &mut published["properties"]["devices"]["propertyNames"];
    *names = json!({ "anyOf": [names, { "type": "string", "pattern": r"\{[0-9]+\.\.[0-9]+\}" }] });
    let body = json!({
        "type": "object",
        "properties": {
            "device": { "description": "The devices, such as `pump-{1..100}`.", "type": "string" },
            "steps": {
                "description": "What each does; `${device}` stands for it.",
                "type": "array",
                "items": { "$ref": "#/definitions/Step" },
            },
        },
        "required": ["device", "steps"],
        "additionalProperties": false,
    });
    let step = json!({
        "description": "Each device of a range does the same, side by side; ends with the last.",
        "type": "object",
        "properties": { "for_each": body },
        "required": ["for_each"],
        "additionalProperties": false,
    });
    if let Some(steps) = published["definitions"]["Step"]["oneOf"].as_array_mut() {
        steps.push(step);
    }
}

/// The schema after variables are put in.
pub(crate) fn shape() -> &'static Value {
    static SHAPE: OnceLock<Value> = OnceLock::new();
    SHAPE.get_or_init(|| {
        let generator = SchemaSettings::draft07().into_generator();
        let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
        without_null(&mut schema);
        schema
    })
}

fn variables() -> Value {
    json!({
        "description": "Values that stand in several places, used as `${name}`.",
        "type": "object",
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    })
}

/// A key that is given has a value: `device:` with nothing behind it would silently match any device.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            strip_null(map);
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

fn strip_null(map: &mut Map<String, Value>) {
    // The defaults of sections are those of their keys.
    if map.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
        map.remove("default");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(forms)) = map.get_mut("anyOf") {
        forms.retain(|form| form["type"] != "null");
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

/// Lets editors accept `${name}` where a number, a boolean or a text of some form stands.
fn templated(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.iter_mut().filter(|(key, _)| *key != "propertyNames").for_each(|(_, value)| templated(value));
            if is_formed_scalar(map) {
                let form: Map<String, Value> = constraints(map);
                let variable = json!({ "type": "string", "pattern": r"\$\{[^}]+\}" });
                map.insert("anyOf".into(), json!([form, variable]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(templated),
        _ => {}
    }
}

fn is_formed_scalar(map: &Map<String, Value>) -> bool {
    match map.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => map.contains_key("enum") || map.contains_key("pattern"),
        _ => false,
    }
}

/// Takes everything out of a schema but what describes it.
fn constraints(map: &mut Map<String, Value>) -> Map<String, Value> {
    let keys: Vec<String> =
        map.keys().filter(|key| !["description", "default"].contains(&key.as_str())).cloned().collect();
    keys.into_iter().filter_map(|key| map.remove_entry(&key)).collect()
}

/// Keys in alphabetical order, whatever order serde_json was built to keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
