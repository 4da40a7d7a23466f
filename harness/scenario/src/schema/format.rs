//! Texts with a form of their own: how the JSON schema describes them, and what makes one sound.
//! A described text carries `x-hilarm` in the schema, by which the shape check finds its [`Format`].

use std::net::{IpAddr, SocketAddrV4};

use hilarm_model::{AllowRuleType, DeviceId};
use ipnet::IpNet;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{NamesSpec, NetworksSpec, RangeSpec, Switch};
use crate::attack;
use crate::duration::Span;
use crate::problem::Problem;
use crate::registry;

/// A text with a form of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    name: &'static str,
    pattern: &'static str,
    check: fn(&str) -> Result<(), Problem>,
}

/// Identity of a device.
pub(crate) const DEVICE: Format = Format {
    name: "device",
    pattern: r"^[A-Za-z0-9\-.%_*?!(),:=@$'+#]{1,128}$",
    check: |text| DeviceId::new(text).map(drop).map_err(Problem::Identity),
};

/// Identity of a module within its device.
const MODULE: Format = Format { name: "module", ..DEVICE };

/// IPv4 address and port.
pub(crate) const ENDPOINT: Format = Format {
    name: "endpoint",
    pattern: r"^[0-9.]+:[0-9]+$",
    check: |text| match text.parse::<SocketAddrV4>() {
        Ok(_) => Ok(()),
        Err(_) => malformed(text, "an IPv4 address with a port, such as `203.0.113.66:1883`"),
    },
};

const ADDRESS: Format = Format {
    name: "address",
    pattern: r"^[0-9A-Fa-f.:]+$",
    check: |text| match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => malformed(text, "an IP address, such as `203.0.113.66`"),
    },
};

const NETWORK: Format = Format {
    name: "network",
    pattern: r"^[0-9A-Fa-f.:]+(/[0-9]+)?$",
    check: |text| match network(text) {
        Some(_) => Ok(()),
        None => malformed(text, "an address or a CIDR, such as `203.0.113.66` or `198.51.100.0/25`"),
    },
};

const TECHNIQUE: Format = Format {
    name: "technique",
    pattern: r"^T[0-9]{4}(\.[0-9]{3})?$",
    check: |text| match (is_technique(text), attack::technique(text)) {
        (false, _) => malformed(text, "a MITRE ATT&CK technique, such as `T1071` or `T1550.001`"),
        (true, None) => {
            let suggestion = attack::suggestion(text);
            Err(Problem::UnknownTechnique { id: text.to_owned(), suggestion })
        }
        (true, Some(_)) => Ok(()),
    },
};

const DURATION: Format = Format {
    name: "duration",
    pattern: r"^[0-9]+(ms|s|m|h|d)$",
    check: |text| match text.parse::<Span>() {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::Duration { text: text.to_owned(), error }),
    },
};

const FORMATS: [Format; 7] = [DEVICE, MODULE, ENDPOINT, ADDRESS, NETWORK, TECHNIQUE, DURATION];

impl Format {
    /// The format that a schema names in `x-hilarm`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }

    /// What the text is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self.name {
            "duration" => "a duration such as `10s`",
            "device" => "the name of a device",
            "module" => "the name of a module",
            "technique" => "a technique",
            "network" => "an address or a CIDR",
            _ => "an address",
        }
    }

    /// Whether the text is sound.
    pub(crate) fn check(self, text: &str) -> Result<(), Problem> {
        (self.check)(text)
    }

    /// The JSON schema of such a text.
    pub(crate) fn to_value(self) -> Value {
        json!({ "type": "string", "pattern": self.pattern, "x-hilarm": self.name })
    }

    fn schema(self) -> Schema {
        json_schema!({ "type": "string", "pattern": self.pattern, "x-hilarm": self.name })
    }
}

fn malformed(text: &str, expected: &'static str) -> Result<(), Problem> {
    Err(Problem::Malformed { text: text.to_owned(), expected })
}

/// `T1071` or `T1550.001`.
fn is_technique(text: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('T').is_some_and(|number| match number.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(number, 4),
    })
}

/// A CIDR, or an address as a network of its own.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Addresses and CIDRs.
pub(super) fn deserialize_networks<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    read_networks(&Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// An address or a CIDR.
pub(super) fn deserialize_network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(deserializer)?;
    network(&text).ok_or_else(|| D::Error::custom(format!("no network: {text}")))
}

/// The same, where a key may be absent.
pub(super) fn deserialize_some_network<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<IpNet>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| network(&text).ok_or_else(|| D::Error::custom(format!("no network: {text}")))).transpose()
}

/// Addresses and CIDRs, or which text is neither.
pub(super) fn read_networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    texts.iter().map(|text| network(text).ok_or_else(|| format!("no network: {text}"))).collect()
}

/// One of the words of a registry.
fn word_of(noun: &str, words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words, "x-noun": noun })
}

fn list_of(items: Schema) -> Schema {
    json_schema!({ "type": "array", "items": items })
}

pub(super) fn device(_: &mut SchemaGenerator) -> Schema {
    DEVICE.schema()
}

pub(super) fn module(_: &mut SchemaGenerator) -> Schema {
    MODULE.schema()
}

pub(super) fn modules(_: &mut SchemaGenerator) -> Schema {
    list_of(MODULE.schema())
}

pub(super) fn endpoint(_: &mut SchemaGenerator) -> Schema {
    ENDPOINT.schema()
}

pub(super) fn address(_: &mut SchemaGenerator) -> Schema {
    ADDRESS.schema()
}

pub(super) fn network_schema(_: &mut SchemaGenerator) -> Schema {
    NETWORK.schema()
}

pub(super) fn devices(_: &mut SchemaGenerator) -> Schema {
    list_of(DEVICE.schema())
}

pub(super) fn networks(_: &mut SchemaGenerator) -> Schema {
    list_of(NETWORK.schema())
}

pub(super) fn techniques(_: &mut SchemaGenerator) -> Schema {
    list_of(TECHNIQUE.schema())
}

pub(super) fn alert(_: &mut SchemaGenerator) -> Schema {
    word_of("alert", &registry::alerts())
}

pub(super) fn recommendation(_: &mut SchemaGenerator) -> Schema {
    word_of("recommendation", &registry::recommendations())
}

/// Maps recommendations to whether they are given.
pub(super) fn recommendations(generator: &mut SchemaGenerator) -> Schema {
    let names = word_of("recommendation", &registry::recommendations());
    let switch = generator.subschema_for::<Switch>();
    json_schema!({ "type": "object", "additionalProperties": switch, "propertyNames": names })
}

pub(super) fn solutions(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": recommendations(generator) })
}

/// What a scenario may provoke: alerts and recommendations.
pub(super) fn alerts(_: &mut SchemaGenerator) -> Schema {
    list_of(word_of("alert", &[registry::alerts(), registry::recommendations()].concat()))
}

pub(super) fn behaviour(_: &mut SchemaGenerator) -> Schema {
    word_of("behaviour", &registry::behaviours())
}

/// A group maps each alert to the form that its rule has; an unknown one is spelled like a known one.
pub(super) fn security_group(generator: &mut SchemaGenerator) -> Schema {
    let range = generator.subschema_for::<RangeSpec>();
    let networks = generator.subschema_for::<NetworksSpec>();
    let names = generator.subschema_for::<NamesSpec>();
    let mut rules = serde_json::Map::new();
    for slug in registry::range_rules() {
        rules.insert(slug.to_owned(), range.clone().to_value());
    }
    for (slug, rule) in registry::allow_rules() {
        let form = match rule {
            AllowRuleType::ConnectionToIpNotAllowed | AllowRuleType::ConnectionFromIpNotAllowed => &networks,
            AllowRuleType::LocalUserNotAllowed | AllowRuleType::ProcessNotAllowed => &names,
        };
        rules.insert(slug.to_owned(), form.clone().to_value());
    }
    let known: Vec<&str> = rules.keys().map(String::as_str).collect();
    let names = word_of("rule", &known);
    json_schema!({ "type": "object", "properties": rules, "propertyNames": names })
}

pub(super) fn security_groups(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": security_group(generator) })
}

/// The JSON schema of a duration.
pub(crate) fn duration() -> Schema {
    DURATION.schema()
}
