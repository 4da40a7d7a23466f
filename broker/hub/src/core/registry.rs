//! The identity registry: which devices and modules exist, how each must prove itself, and which
//! certificate authorities the hub trusts. It stores and finds; `core::auth` judges.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{DeviceId, ModuleId, RegisteredAuthentication};

pub use super::key::{InvalidKey, InvalidThumbprint, SymmetricKey, Thumbprint};

/// A device, or one of its modules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientIdentity {
    /// The device.
    pub device: DeviceId,
    /// The module; `None` is the device itself.
    pub module: Option<ModuleId>,
}

impl fmt::Display for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            None => write!(f, "{}", self.device),
            Some(module) => write!(f, "{}/{module}", self.device),
        }
    }
}

/// How an identity must authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAuthentication {
    /// SAS tokens signed with either key.
    Sas {
        /// Primary key.
        primary: SymmetricKey,
        /// Secondary key.
        secondary: SymmetricKey,
    },
    /// A client certificate with one of these thumbprints.
    SelfSigned {
        /// Primary thumbprint.
        primary: Thumbprint,
        /// Secondary thumbprint.
        secondary: Option<Thumbprint>,
    },
    /// A client certificate whose chain leads to a registered certificate authority.
    CertificateAuthority,
}

impl DeviceAuthentication {
    /// What may be told of it: digests of keys, thumbprints.
    pub fn facts(&self) -> RegisteredAuthentication {
        match self {
            Self::Sas { primary, secondary } => RegisteredAuthentication::Sas {
                primary_sha256: primary.sha256_hex(),
                secondary_sha256: secondary.sha256_hex(),
            },
            Self::SelfSigned { primary, secondary } => RegisteredAuthentication::SelfSigned {
                primary: primary.as_str().to_owned(),
                secondary: secondary.as_ref().map(|thumbprint| thumbprint.as_str().to_owned()),
            },
            Self::CertificateAuthority => RegisteredAuthentication::CertificateAuthority,
        }
    }
}

/// A device identity with its modules.
#[derive(Clone, Debug)]
pub(crate) struct DeviceIdentity {
    pub(crate) authentication: DeviceAuthentication,
    pub(crate) enabled: bool,
    /// Another one after each change.
    version: u64,
    pub(crate) modules: BTreeMap<ModuleId, DeviceAuthentication>,
}

impl DeviceIdentity {
    pub(crate) fn etag(&self) -> String {
        STANDARD.encode(self.version.to_string())
    }
}

/// All identities and certificate authorities of a hub.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Counts the changes of all devices. Deletions leave it as it is, so that no ETag of a device that is gone is
    /// ever that of another one.
    versions: u64,
    devices: BTreeMap<DeviceId, DeviceIdentity>,
    /// DER certificates by their name on the hub.
    authorities: BTreeMap<String, Vec<u8>>,
}

impl Registry {
    /// Creates the device or replaces its authentication; true when an existing authentication changed.
    pub(crate) fn put_device(&mut self, device: DeviceId, authentication: DeviceAuthentication) -> bool {
        self.versions += 1;
        let version = self.versions;
        match self.devices.get_mut(&device) {
            Some(known) => {
                let changed = known.authentication != authentication;
                (known.authentication, known.version) = (authentication, version);
                changed
            }
            None => {
                let modules = BTreeMap::new();
                let identity = DeviceIdentity { authentication, enabled: true, version, modules };
                self.devices.insert(device, identity);
                false
            }
        }
    }

    /// The device was changed: it gets another ETag.
    pub(crate) fn changed(&mut self, device: &DeviceId) {
        if let Some(known) = self.devices.get_mut(device) {
            self.versions += 1;
            known.version = self.versions;
        }
    }

    pub(crate) fn device(&self, device: &DeviceId) -> Option<&DeviceIdentity> {
        self.devices.get(device)
    }

    pub(crate) fn device_mut(&mut self, device: &DeviceId) -> Option<&mut DeviceIdentity> {
        self.devices.get_mut(device)
    }

    pub(crate) fn delete_device(&mut self, device: &DeviceId) {
        self.devices.remove(device);
    }

    /// How the identity must authenticate; a module has its own credentials.
    pub(crate) fn authentication(&self, identity: &ClientIdentity) -> Option<&DeviceAuthentication> {
        let device = self.devices.get(&identity.device)?;
        match &identity.module {
            None => Some(&device.authentication),
            Some(module) => device.modules.get(module),
        }
    }

    /// The same, to change it.
    pub(crate) fn authentication_mut(
        &mut self,
        identity: &ClientIdentity,
    ) -> Option<&mut DeviceAuthentication> {
        let device = self.devices.get_mut(&identity.device)?;
        match &identity.module {
            None => Some(&mut device.authentication),
            Some(module) => device.modules.get_mut(module),
        }
    }

    pub(crate) fn put_authority(&mut self, name: String, der: Vec<u8>) {
        self.authorities.insert(name, der);
    }

    pub(crate) fn delete_authority(&mut self, name: &str) -> bool {
        self.authorities.remove(name).is_some()
    }

    pub(crate) fn authorities(&self) -> impl Iterator<Item = &[u8]> {
        self.authorities.values().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sas(byte: u8) -> DeviceAuthentication {
        let key = SymmetricKey::from_bytes([byte; 32]).unwrap();
        DeviceAuthentication::Sas { primary: key.clone(), secondary: key }
    }

    #[test]
    fn replacing_an_authentication_says_whether_it_changed() {
        let mut registry = Registry::default();
        let device = DeviceId::new("pump-1").unwrap();
        assert!(!registry.put_device(device.clone(), sas(1)), "created");
        assert!(!registry.put_device(device.clone(), sas(1)), "the same again");
        assert!(registry.put_device(device, sas(2)), "another key");
    }

    #[test]
    fn the_facts_of_an_authentication_hold_digests_only() {
        let facts = serde_json::to_string(&sas(1).facts()).unwrap();
        let key = SymmetricKey::from_bytes([1; 32]).unwrap();
        assert!(!facts.contains(&key.to_base64()) && facts.contains(&key.sha256_hex()));
    }

    #[test]
    fn a_module_is_found_by_its_own_credentials_only() {
        let mut registry = Registry::default();
        let device = DeviceId::new("pump-1").unwrap();
        let module = ModuleId::new("agent").unwrap();
        registry.put_device(device.clone(), sas(1));
        let identity = ClientIdentity { device: device.clone(), module: Some(module.clone()) };
        assert!(registry.authentication(&identity).is_none());
        registry.device_mut(&device).unwrap().modules.insert(module, sas(2));
        assert_eq!(registry.authentication(&identity), Some(&sas(2)));
    }
}
