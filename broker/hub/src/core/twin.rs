//! Device and module twins: desired and reported properties and tags, each with its version. Patches
//! merge (RFC 7396): null deletes, objects merge, everything else replaces. Limits are IoT Hub's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

const DEPTH_MAX: usize = 10;
const STRING_BYTES_MAX: usize = 4096;
const KEY_BYTES_MAX: usize = 1024;
const INTEGER_MAX: i64 = 1 << 52;
/// Desired and reported properties.
pub(crate) const PROPERTIES_BYTES_MAX: usize = 32 * 1024;
/// Tags.
pub(crate) const TAGS_BYTES_MAX: usize = 8 * 1024;

/// Why a patch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPatch {
    #[error("the patch is not JSON")]
    NotJson,
    #[error("the patch is not a JSON object")]
    NotObject,
    #[error("nested deeper than {DEPTH_MAX} levels")]
    Depth,
    #[error("a string is longer than {STRING_BYTES_MAX} bytes")]
    String,
    #[error(
        "a key is empty, longer than {KEY_BYTES_MAX} bytes, or holds one of . $ # space or a control character"
    )]
    Key,
    #[error("an integer lies beyond 2^52")]
    Integer,
    #[error("the section would be larger than {0} bytes")]
    Size(usize),
}

/// One section of a twin.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    values: Map<String, Value>,
    version: u64,
    bytes_max: usize,
}

impl Section {
    fn new(bytes_max: usize) -> Self {
        Self { values: Map::new(), version: 1, bytes_max }
    }

    /// A value at the top of the section.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Merges a patch, all of it or nothing; the new version comes back.
    pub(crate) fn patch(&mut self, patch: &Value) -> Result<u64, InvalidPatch> {
        let patch = checked(patch)?;
        let mut merged = self.values.clone();
        merge(&mut merged, patch);
        self.set(merged)
    }

    /// Replaces everything, all of it or nothing; the new version comes back, and the patch that brings a
    /// copy of the former values to the new ones: what went is null in it.
    pub(crate) fn replace(&mut self, values: &Value) -> Result<(u64, Map<String, Value>), InvalidPatch> {
        let mut fresh = Map::new();
        merge(&mut fresh, checked(values)?);
        let mut delta = fresh.clone();
        for gone in self.values.keys().filter(|key| !fresh.contains_key(*key)) {
            delta.insert(gone.clone(), Value::Null);
        }
        Ok((self.set(fresh)?, delta))
    }

    fn set(&mut self, values: Map<String, Value>) -> Result<u64, InvalidPatch> {
        let bytes = serde_json::to_vec(&values).map_or(usize::MAX, |text| text.len());
        if bytes > self.bytes_max {
            return Err(InvalidPatch::Size(self.bytes_max));
        }
        self.values = values;
        self.version += 1;
        Ok(self.version)
    }

    /// The section as devices and services read it, with `$version`.
    pub(crate) fn to_json(&self) -> Value {
        with_version(&self.values, self.version)
    }
}

/// An object with `$version` added.
pub(crate) fn with_version(values: &Map<String, Value>, version: u64) -> Value {
    let mut values = values.clone();
    values.insert("$version".into(), version.into());
    Value::Object(values)
}

/// The twin of a device or module.
#[derive(Clone, Debug)]
pub(crate) struct Twin {
    pub(crate) desired: Section,
    pub(crate) reported: Section,
    pub(crate) tags: Section,
}

impl Default for Twin {
    fn default() -> Self {
        Self {
            desired: Section::new(PROPERTIES_BYTES_MAX),
            reported: Section::new(PROPERTIES_BYTES_MAX),
            tags: Section::new(TAGS_BYTES_MAX),
        }
    }
}

impl Twin {
    /// Another one with every change of desired properties or tags; what the device reports does not move it.
    pub(crate) fn etag(&self) -> String {
        STANDARD.encode((self.desired.version + self.tags.version - 1).to_be_bytes())
    }

    /// What the device reads: desired and reported, no tags.
    pub(crate) fn for_device(&self) -> Value {
        json!({ "desired": self.desired.to_json(), "reported": self.reported.to_json() })
    }

    /// What the service reads, less the identity. `version` counts the changes of all sections.
    pub(crate) fn for_service(&self) -> Map<String, Value> {
        let mut view = Map::new();
        let version = self.desired.version + self.reported.version + self.tags.version - 2;
        view.insert("version".into(), version.into());
        view.insert("etag".into(), self.etag().into());
        view.insert("tags".into(), Value::Object(self.tags.values.clone()));
        view.insert("properties".into(), self.for_device());
        view
    }

    /// The security group that the tags name.
    pub(crate) fn security_group(&self) -> &str {
        self.tags.get("SecurityGroup").and_then(Value::as_str).unwrap_or("default")
    }
}

/// Merges a checked patch.
fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (value, into.get_mut(key)) {
            (Value::Null, _) => {
                into.remove(key);
            }
            (Value::Object(patch), Some(Value::Object(known))) => merge(known, patch),
            (Value::Object(patch), _) => {
                let mut fresh = Map::new();
                merge(&mut fresh, patch);
                into.insert(key.clone(), Value::Object(fresh));
            }
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The patch as an object, if every key and value in it keeps the limits.
fn checked(patch: &Value) -> Result<&Map<String, Value>, InvalidPatch> {
    let Value::Object(patch) = patch else { return Err(InvalidPatch::NotObject) };
    patch.iter().try_for_each(|(key, value)| check(key, value, 1))?;
    Ok(patch)
}

fn check(key: &str, value: &Value, depth: usize) -> Result<(), InvalidPatch> {
    let foreign = |c: char| matches!(c, '.' | '$' | '#' | ' ') || c.is_control();
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(foreign) {
        return Err(InvalidPatch::Key);
    }
    check_value(value, depth)
}

fn check_value(value: &Value, depth: usize) -> Result<(), InvalidPatch> {
    if depth > DEPTH_MAX {
        return Err(InvalidPatch::Depth);
    }
    match value {
        Value::String(text) if text.len() > STRING_BYTES_MAX => Err(InvalidPatch::String),
        Value::Number(number) if !integer_fits(number) => Err(InvalidPatch::Integer),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, depth + 1)),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| check(key, value, depth + 1)),
        _ => Ok(()),
    }
}

fn integer_fits(number: &serde_json::Number) -> bool {
    match number.as_i64() {
        Some(integer) => (-INTEGER_MAX..=INTEGER_MAX).contains(&integer),
        None => !number.is_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(patches: &[Value]) -> Result<Value, InvalidPatch> {
        let mut section = Section::new(PROPERTIES_BYTES_MAX);
        for patch in patches {
            section.patch(patch)?;
        }
        Ok(section.to_json())
    }

    #[test]
    fn a_patch_merges_objects_deletes_nulls_and_raises_the_version() {
        let twin = patched(&[json!({"a": {"b": 1, "c": 2}, "d": [1]}), json!({"a": {"b": null}, "d": [2]})]);
        assert_eq!(twin.unwrap(), json!({"a": {"c": 2}, "d": [2], "$version": 3}));
    }

    #[test]
    fn a_replacement_says_what_it_removed() {
        let mut section = Section::new(PROPERTIES_BYTES_MAX);
        section.patch(&json!({"a": 1, "b": 2})).unwrap();
        let (version, delta) = section.replace(&json!({"b": 3, "c": null})).unwrap();
        assert_eq!((version, Value::Object(delta)), (3, json!({"a": null, "b": 3})));
        assert_eq!(section.to_json(), json!({"b": 3, "$version": 3}));
        assert_eq!(section.replace(&json!([])), Err(InvalidPatch::NotObject));
    }

    #[test]
    fn nulls_inside_a_new_object_leave_no_trace() {
        assert_eq!(patched(&[json!({"a": {"b": null}})]).unwrap(), json!({"a": {}, "$version": 2}));
    }

    #[test]
    fn a_refused_patch_changes_nothing() {
        let mut section = Section::new(64);
        section.patch(&json!({"a": 1})).unwrap();
        let before = section.to_json();
        assert_eq!(section.patch(&json!({"b": "x".repeat(64)})), Err(InvalidPatch::Size(64)));
        assert_eq!(section.to_json(), before);
    }

    #[test]
    fn each_limit_is_kept() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "k": inner }));
        assert!(patched(&[nested(10)]).is_ok());
        for (patch, why) in [
            (json!([]), InvalidPatch::NotObject),
            (nested(11), InvalidPatch::Depth),
            (json!({"k": "x".repeat(4097)}), InvalidPatch::String),
            (json!({"": 1}), InvalidPatch::Key),
            (json!({"a.b": 1}), InvalidPatch::Key),
            (json!({"$version": 1}), InvalidPatch::Key),
            (json!({"a": {"b c": 1}}), InvalidPatch::Key),
            (json!({"k": 4_503_599_627_370_497_i64}), InvalidPatch::Integer),
            (json!({"k": u64::MAX}), InvalidPatch::Integer),
        ] {
            assert_eq!(patched(std::slice::from_ref(&patch)), Err(why), "{patch}");
        }
        assert!(patched(&[json!({"k": 4_503_599_627_370_496_i64, "f": 1e300})]).is_ok());
    }

    #[test]
    fn the_device_does_not_see_the_tags() {
        let mut twin = Twin::default();
        twin.tags.patch(&json!({"SecurityGroup": "plant"})).unwrap();
        let empty = json!({"desired": {"$version": 1}, "reported": {"$version": 1}});
        assert_eq!(twin.for_device(), empty);
        assert_eq!(twin.security_group(), "plant");
    }
}
