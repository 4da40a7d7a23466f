//! Client certificates of devices, with the key in the forms that firmware and registries want.

use std::fmt;

use hilarm_model::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::authority::{Validity, parameters};
use crate::key::EcKey;
use crate::{PkiError, Seed};

/// A device's leaf certificate and its P-256 key.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The leaf, DER.
    pub der: Vec<u8>,
    /// The private key, SEC1 DER: what embedded-tls takes.
    pub key_sec1_der: Vec<u8>,
    /// The private key, PKCS #8 DER.
    pub key_pkcs8: Vec<u8>,
    /// SHA-1 of the leaf, upper-case hexadecimal.
    pub sha1_thumbprint: String,
    /// SHA-256 of the leaf, upper-case hexadecimal.
    pub sha256_thumbprint: String,
}

impl DeviceCertificate {
    pub(crate) fn new(der: Vec<u8>, key: &EcKey) -> Result<Self, PkiError> {
        Ok(Self {
            sha1_thumbprint: hex::encode_upper(Sha1::digest(&der)),
            sha256_thumbprint: hex::encode_upper(Sha256::digest(&der)),
            key_sec1_der: key.sec1_der()?,
            key_pkcs8: key.pkcs8_der()?,
            der,
        })
    }

    /// A self-signed certificate, as devices with registered thumbprints have. `key_name` tells keys of one
    /// seed apart.
    pub fn self_signed(
        seed: impl Into<Seed>,
        common_name: &str,
        not_before: Timestamp,
        not_after: Timestamp,
        key_name: &str,
    ) -> Result<Self, PkiError> {
        let key = EcKey::from_seed(&seed.into(), &format!("self-signed {key_name}"));
        let params = parameters(common_name, Validity { not_before, not_after }, &key)?;
        let leaf = params.self_signed(&key)?;
        Self::new(leaf.der().to_vec(), &key)
    }

    /// The leaf, PEM.
    pub fn pem(&self) -> String {
        crate::identity::certificate_pem(&self.der)
    }

    /// The private key, PKCS #8 PEM.
    pub fn key_pem(&self) -> Result<String, PkiError> {
        EcKey::from_pkcs8(&self.key_pkcs8)?.pem()
    }
}

impl fmt::Debug for DeviceCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCertificate")
            .field("sha256_thumbprint", &self.sha256_thumbprint)
            .field("key", &"<redacted>")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, X509Certificate};

    fn certificate(key_name: &str) -> DeviceCertificate {
        let (from, to) = (Timestamp::from_secs(1_767_225_600), Timestamp::from_secs(1_767_229_200));
        DeviceCertificate::self_signed(42, "pump-1", from, to, key_name).unwrap()
    }

    #[test]
    fn the_leaf_says_what_was_asked_and_verifies_under_its_own_key() {
        let made = certificate("a");
        let (rest, parsed) = X509Certificate::from_der(&made.der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(parsed.subject().to_string(), "CN=pump-1");
        assert_eq!(parsed.validity().not_after.timestamp(), 1_767_229_200);
        parsed.verify_signature(None).unwrap();
    }

    #[test]
    fn thumbprints_are_upper_hexadecimal_and_differ_between_keys() {
        let (one, two) = (certificate("a"), certificate("b"));
        assert_eq!((one.sha1_thumbprint.len(), one.sha256_thumbprint.len()), (40, 64));
        assert!(one.sha256_thumbprint.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()));
        assert_ne!(one.sha1_thumbprint, two.sha1_thumbprint);
        assert_eq!(one, certificate("a"));
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(format!("{:?}", certificate("a")).contains("<redacted>"));
    }
}
