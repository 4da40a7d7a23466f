//! Device keys that stay the same between runs of a hub on sockets: clients keep their connection strings.

use std::path::Path;

use hilarm_hub::{DeviceAuthentication, SymmetricKey};
use hilarm_model::DeviceId;
use rand::RngCore;

use crate::config::ServedDevice;
use crate::error::ServerError;
use crate::state::{create_dir, read, write_private};

const KEY_BYTES: usize = 32;
const FOLDER: &str = "devices";

impl ServedDevice {
    /// A device with symmetric keys, kept in `state_dir`; new random ones the first time.
    pub fn with_stored_keys(state_dir: &Path, device: DeviceId) -> Result<Self, ServerError> {
        let authentication = DeviceAuthentication::Sas {
            primary: stored_key(state_dir, &device, "primary")?,
            secondary: stored_key(state_dir, &device, "secondary")?,
        };
        Ok(Self { device, authentication, security_group: None })
    }
}

fn stored_key(state_dir: &Path, device: &DeviceId, which: &str) -> Result<SymmetricKey, ServerError> {
    // Identities may hold characters that file names may not.
    let folder = state_dir.join(FOLDER).join(hex::encode(device.as_str()));
    let path = folder.join(format!("{which}.key"));
    let unusable = |reason: String| ServerError::DeviceKey { path: path.clone(), reason };
    if let Some(text) = read(&path)? {
        return SymmetricKey::from_base64(text.trim()).map_err(|error| unusable(error.to_string()));
    }
    create_dir(&folder).map_err(|error| unusable(error.to_string()))?;
    let mut bytes = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let key = SymmetricKey::from_bytes(bytes).map_err(|error| unusable(error.to_string()))?;
    write_private(&path, &key.to_base64())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_random_and_stay_the_same() {
        let state = tempfile::tempdir().unwrap();
        let device = |id| ServedDevice::with_stored_keys(state.path(), DeviceId::new(id).unwrap()).unwrap();
        let first = device("pump-1").authentication;
        assert_eq!(first, device("pump-1").authentication);
        assert_ne!(first, device("pump-2").authentication);
    }

    #[test]
    fn a_damaged_key_is_named() {
        let state = tempfile::tempdir().unwrap();
        let device = DeviceId::new("pump-1").unwrap();
        ServedDevice::with_stored_keys(state.path(), device.clone()).unwrap();
        let path = state.path().join("devices/70756d702d31/primary.key");
        std::fs::write(&path, "not base64!").unwrap();
        let error = ServedDevice::with_stored_keys(state.path(), device).unwrap_err().to_string();
        assert!(error.contains("primary.key"), "{error}");
    }
}
