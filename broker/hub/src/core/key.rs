//! Symmetric keys and certificate thumbprints, the registered halves of credentials. A key never shows
//! itself: its Debug is redacted, and comparison goes by digest.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};

/// A symmetric key of a device or a shared access policy.
#[derive(Clone)]
pub struct SymmetricKey(Vec<u8>);

/// Why a text is no symmetric key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not standard base64 with padding.
    #[error("the key is not base64")]
    NotBase64,
    /// IoT Hub takes keys of 16 to 64 bytes.
    #[error("the key has {0} bytes, not 16 to 64")]
    Length(usize),
}

impl SymmetricKey {
    /// From raw bytes, 16 to 64 of them.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidKey> {
        let bytes = bytes.into();
        if (16..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(InvalidKey::Length(bytes.len())) }
    }

    /// From the base64 text of connection strings.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(STANDARD.decode(text).map_err(|_| InvalidKey::NotBase64)?)
    }

    /// A fresh key of 32 bytes from a seeded stream.
    pub fn generate(random: &mut impl RngCore) -> Self {
        let mut bytes = vec![0; 32];
        random.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// As connection strings write it. The result is a secret.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The raw bytes. They are a secret.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the key, lower-case hexadecimal: what may be told of it.
    pub fn sha256_hex(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }

    /// Whether `signature` is the HMAC-SHA256 of the concatenated parts; in constant time.
    pub(crate) fn verifies(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        // HMAC takes keys of any length, so construction cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return false };
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_slice(signature).is_ok()
    }

    /// HMAC-SHA256 of a message under this key.
    #[cfg(test)]
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey(<redacted>)")
    }
}

impl PartialEq for SymmetricKey {
    fn eq(&self, other: &Self) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(&other.0)
    }
}

impl Eq for SymmetricKey {}

/// Thumbprint of a certificate: SHA-1 or SHA-256, kept as upper-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbprint(String);

/// Why a text is no thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint is 40 (SHA-1) or 64 (SHA-256) hexadecimal digits")]
pub struct InvalidThumbprint;

impl Thumbprint {
    /// From hexadecimal digits of either case; colons and spaces between them are dropped.
    pub fn new(text: &str) -> Result<Self, InvalidThumbprint> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let right = matches!(digits.len(), 40 | 64) && digits.chars().all(|c| c.is_ascii_hexdigit());
        if right { Ok(Self(digits.to_ascii_uppercase())) } else { Err(InvalidThumbprint) }
    }

    /// Upper-case hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_base64_and_never_shows_itself() {
        let key = SymmetricKey::from_bytes([7; 32]).unwrap();
        assert_eq!(SymmetricKey::from_base64(&key.to_base64()), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "SymmetricKey(<redacted>)");
    }

    #[test]
    fn short_long_and_malformed_keys_are_refused() {
        assert_eq!(SymmetricKey::from_bytes([0; 15]), Err(InvalidKey::Length(15)));
        assert_eq!(SymmetricKey::from_bytes([0; 65]), Err(InvalidKey::Length(65)));
        assert_eq!(SymmetricKey::from_base64("not base64!"), Err(InvalidKey::NotBase64));
    }

    #[test]
    fn a_thumbprint_is_read_in_either_case_and_with_colons() {
        let sha1 = "aB".repeat(20);
        assert_eq!(Thumbprint::new(&sha1).unwrap().as_str(), "AB".repeat(20));
        assert_eq!(Thumbprint::new(&vec!["0f"; 32].join(":")).unwrap().as_str(), "0F".repeat(32));
        assert_eq!(Thumbprint::new("AB"), Err(InvalidThumbprint));
        assert_eq!(Thumbprint::new(&"G".repeat(40)), Err(InvalidThumbprint));
    }
}
