//! Who the hub is to the devices of a run: its name, the authority that vouches for it, its certificates. They
//! derive from the seed, unless the board's firmware has a name or an authority built in.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_board::{IdentitySpec, ProvisionedSpec};
use hilarm_hub::{DeviceAuthentication, HubConfig, SymmetricKey, Thumbprint};
use hilarm_tls::{CertificateAuthority, PkiError, ServerIdentity, Validity};
use sha2::{Digest, Sha256};

use crate::seed;

/// Why firmware cannot be given the hub that it expects.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of the authority's folder, or the device's certificate.
    #[error("cannot read {path}: {error}; `hilarm ca init` makes an authority")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// It holds no authority, or cannot issue for the name.
    #[error("{path}: {error}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PkiError,
    },
    /// An authority of the seed's.
    #[error("cannot make a certificate: {0}")]
    Pki(#[from] PkiError),
    /// The key or certificate that the board's file names.
    #[error("`identity.provisioned.{field}`: {problem}")]
    BuiltIn {
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// The hub's name, authority and certificates.
pub(crate) struct Trust {
    pub(crate) host: String,
    pub(crate) authority: CertificateAuthority,
    pub(crate) identities: Vec<ServerIdentity>,
}

impl Trust {
    /// As the board's file says, and of the seed where it says nothing.
    pub(crate) fn of(identity: Option<&IdentitySpec>, seed: u64) -> Result<Self, TrustError> {
        let host = identity.and_then(|identity| identity.hub_host.clone());
        let host = host.unwrap_or_else(|| HubConfig::default().host);
        let folder = identity.and_then(|identity| identity.ca.as_deref());
        let Some(folder) = folder else {
            let seed = seed::derive(seed, "certificate authority");
            let authority = CertificateAuthority::from_seed(seed, "hilarm")?;
            let identities = vec![authority.issue_server(&[&host], Validity::WIDE)?];
            return Ok(Self { host, authority, identities });
        };
        let path = folder.join("ca.pem");
        let wrong = |error| TrustError::Authority { path: path.clone(), error };
        let key = read(&folder.join("ca.key"))?;
        let authority = CertificateAuthority::from_pem(&read(&path)?, &key).map_err(wrong)?;
        let mut identities = vec![authority.issue_server(&[&host], Validity::WIDE).map_err(wrong)?];
        identities.extend(rsa_identity(folder, &host));
        Ok(Self { host, authority, identities })
    }
}

/// The RSA certificate that `hilarm ca init --host` left there, for clients without P-256: drawing one takes a
/// second, and only some firmware wants it.
fn rsa_identity(folder: &Path, host: &str) -> Option<ServerIdentity> {
    let names = read(&folder.join("server.names")).ok()?;
    names.lines().any(|name| name == host).then_some(())?;
    let (chain, key) =
        (read(&folder.join("server-rsa.pem")).ok()?, read(&folder.join("server-rsa.key")).ok()?);
    ServerIdentity::from_pem(&chain, &key).ok()
}

fn read(path: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })
}

/// What the hub keeps of credentials that the firmware has built in.
pub(crate) fn built_in(spec: &ProvisionedSpec) -> Result<DeviceAuthentication, TrustError> {
    if let Some(key) = &spec.key {
        let problem =
            |error: &dyn std::fmt::Display| TrustError::BuiltIn { field: "key", problem: error.to_string() };
        let key = STANDARD.decode(key.trim()).map_err(|error| problem(&error))?;
        let primary = SymmetricKey::from_bytes(key.clone()).map_err(|error| problem(&error))?;
        // The second one is nobody's.
        let secondary = SymmetricKey::from_bytes(Sha256::digest(&key).to_vec());
        return Ok(DeviceAuthentication::Sas {
            primary,
            secondary: secondary.map_err(|error| problem(&error))?,
        });
    }
    let path = spec.certificate.as_deref().unwrap_or(Path::new(""));
    let problem = |problem: String| TrustError::BuiltIn { field: "certificate", problem };
    let text = read(path)?;
    let body: String = text
        .lines()
        .skip_while(|line| *line != "-----BEGIN CERTIFICATE-----")
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .map(str::trim)
        .collect();
    let der = STANDARD.decode(body).map_err(|error| problem(error.to_string()))?;
    if der.is_empty() {
        return Err(problem(format!("{} holds no certificate in PEM", path.display())));
    }
    let primary = Thumbprint::new(&hex::encode_upper(Sha256::digest(&der)));
    let primary = primary.map_err(|error| problem(error.to_string()))?;
    Ok(DeviceAuthentication::SelfSigned { primary, secondary: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(ca: Option<&Path>) -> IdentitySpec {
        IdentitySpec {
            hub_host: Some("iot.example.net".to_owned()),
            ca: ca.map(Path::to_owned),
            ..IdentitySpec::default()
        }
    }

    fn persisted() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let made = CertificateAuthority::from_seed([7; 32], "mine").unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.pem()).unwrap();
        std::fs::write(folder.path().join("ca.key"), made.key_pem().unwrap()).unwrap();
        folder
    }

    #[test]
    fn a_persisted_authority_is_the_same_for_every_seed() {
        let folder = persisted();
        let spec = spec(Some(folder.path()));
        let (one, two) = (Trust::of(Some(&spec), 1).unwrap(), Trust::of(Some(&spec), 2).unwrap());
        assert_eq!(one.authority.certificate_der(), two.authority.certificate_der());
        assert_eq!((one.host.as_str(), one.identities.len()), ("iot.example.net", 1));
        let seeded = |seed| Trust::of(None, seed).unwrap().authority.certificate_der().to_vec();
        assert_ne!(seeded(1), seeded(2));
    }

    #[test]
    fn a_folder_without_an_authority_says_what_makes_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = Trust::of(Some(&spec(Some(folder.path()))), 1).err().unwrap().to_string();
        assert!(error.contains("ca.key") && error.contains("hilarm ca init"), "{error}");
    }

    #[test]
    fn a_built_in_key_or_certificate_is_registered_as_it_is() {
        let key = STANDARD.encode([7; 32]);
        let with = |key: Option<&str>, certificate: Option<&Path>| ProvisionedSpec {
            device_id: "pump-1".to_owned(),
            key: key.map(str::to_owned),
            certificate: certificate.map(Path::to_owned),
        };
        assert!(matches!(built_in(&with(Some(&key), None)), Ok(DeviceAuthentication::Sas { .. })));
        let error = built_in(&with(Some("no base64!"), None)).unwrap_err().to_string();
        assert!(error.starts_with("`identity.provisioned.key`"), "{error}");
        let folder = persisted();
        let pem = folder.path().join("ca.pem");
        assert!(matches!(built_in(&with(None, Some(&pem))), Ok(DeviceAuthentication::SelfSigned { .. })));
        let none = folder.path().join("ca.key");
        assert!(
            built_in(&with(None, Some(&none))).unwrap_err().to_string().contains("no certificate in PEM")
        );
    }
}
