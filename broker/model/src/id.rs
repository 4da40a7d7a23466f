//! Identifiers of devices, modules and connections.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The identity of a device in the identity registry: 1 to 128 characters of the set that IoT Hub allows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(String);

/// The identity of a module within its device; same character set as [`DeviceId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleId(String);

/// One transport connection to the hub, numbered from 1 in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// Why a string is no identity: empty, longer than 128 characters, or a character IoT Hub refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId(pub String);

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an identity: 1 to 128 of A-Z a-z 0-9 and - . % _ * ? ! ( ) , : = @ $ ' + #",
            self.0
        )
    }
}

impl std::error::Error for InvalidId {}

fn check(text: String) -> Result<String, InvalidId> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.%_*?!(),:=@$'+#".contains(c);
    if (1..=128).contains(&text.len()) && text.chars().all(allowed) { Ok(text) } else { Err(InvalidId(text)) }
}

macro_rules! identity {
    ($name:ident) => {
        impl $name {
            /// Checks the text against IoT Hub's rules for identities.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                check(text.into()).map(Self)
            }

            /// The identity as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

identity!(DeviceId);
identity!(ModuleId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_iot_hub_accepts() {
        assert_eq!(DeviceId::new("pump-1").unwrap().as_str(), "pump-1");
        assert!(DeviceId::new("a".repeat(128)).is_ok());
    }

    #[test]
    fn refuses_empty_long_and_foreign_characters() {
        for bad in ["", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert!(DeviceId::new(bad).is_err(), "{bad:?}");
        }
    }
}
