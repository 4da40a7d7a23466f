//! P-256 keys that are the same for the same seed and name, and sign the same way each time (RFC 6979).

use std::fmt;

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use sha2::{Digest, Sha256};

use crate::PkiError;

/// Where deterministic keys come from: a scenario's number, or 32 random bytes for a hub that real devices
/// are to trust.
#[derive(Clone, Copy)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A ChaCha20 stream of its own for each name.
    pub(crate) fn stream(&self, name: &str) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.derive(name).0)
    }

    /// A seed of its own for each name.
    pub(crate) fn derive(&self, name: &str) -> Self {
        let digest = Sha256::new().chain_update(b"hilarm pki\0").chain_update(self.0).chain_update(name);
        Self(digest.finalize().into())
    }
}

impl From<u64> for Seed {
    fn from(seed: u64) -> Self {
        Self(Sha256::digest(seed.to_be_bytes()).into())
    }
}

impl From<[u8; 32]> for Seed {
    fn from(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(<redacted>)")
    }
}

/// A P-256 private key with its public point.
#[derive(Clone)]
pub(crate) struct EcKey {
    secret: SecretKey,
    point: Vec<u8>,
}

impl EcKey {
    pub(crate) fn from_seed(seed: &Seed, name: &str) -> Self {
        Self::new(draw_secret(&mut seed.stream(name)))
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, PkiError> {
        SecretKey::from_pkcs8_der(der).map(Self::new).map_err(|_| PkiError::Key("not a P-256 key in PKCS #8"))
    }

    pub(crate) fn from_pem(pem: &str) -> Result<Self, PkiError> {
        SecretKey::from_pkcs8_pem(pem).map(Self::new).map_err(|_| PkiError::Key("not a P-256 key in PEM"))
    }

    fn new(secret: SecretKey) -> Self {
        let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
        Self { secret, point }
    }

    /// A seed that only the holder of this key can derive.
    pub(crate) fn seed(&self) -> Seed {
        Seed(
            Sha256::new()
                .chain_update(b"hilarm issuer\0")
                .chain_update(self.secret.to_bytes())
                .finalize()
                .into(),
        )
    }

    /// The DER signature of `message` by ECDSA with SHA-256.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = SigningKey::from(&self.secret).sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    pub(crate) fn sec1_der(&self) -> Result<Vec<u8>, PkiError> {
        let der = self.secret.to_sec1_der().map_err(|_| PkiError::Key("does not encode as SEC1"))?;
        Ok(der.to_vec())
    }

    pub(crate) fn pkcs8_der(&self) -> Result<Vec<u8>, PkiError> {
        let der = self.secret.to_pkcs8_der().map_err(|_| PkiError::Key("does not encode as PKCS #8"))?;
        Ok(der.as_bytes().to_vec())
    }

    pub(crate) fn pem(&self) -> Result<String, PkiError> {
        let pem = self.secret.to_pkcs8_pem(LineEnding::LF);
        pem.map(|text| text.to_string()).map_err(|_| PkiError::Key("does not encode as PEM"))
    }
}

/// A scalar of the curve; values outside the field (one in 2^32) are drawn again.
pub(crate) fn draw_secret(stream: &mut ChaCha20Rng) -> SecretKey {
    loop {
        let mut bytes = [0; 32];
        stream.fill_bytes(&mut bytes);
        if let Ok(secret) = SecretKey::from_slice(&bytes) {
            return secret;
        }
    }
}

impl PublicKeyData for EcKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for EcKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.sign_der(message))
    }
}

impl fmt::Debug for EcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EcKey(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_name_give_the_same_key_and_signature() {
        let (one, two) = (EcKey::from_seed(&42.into(), "pump-1"), EcKey::from_seed(&42.into(), "pump-1"));
        assert_eq!(one.sign_der(b"hello"), two.sign_der(b"hello"));
        assert_ne!(one.point, EcKey::from_seed(&42.into(), "pump-2").point);
        assert_ne!(one.point, EcKey::from_seed(&43.into(), "pump-1").point);
    }

    #[test]
    fn a_key_comes_back_from_pkcs8_and_pem() {
        let key = EcKey::from_seed(&1.into(), "a");
        assert_eq!(EcKey::from_pkcs8(&key.pkcs8_der().unwrap()).unwrap().point, key.point);
        assert_eq!(EcKey::from_pem(&key.pem().unwrap()).unwrap().point, key.point);
        assert!(EcKey::from_pem("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n").is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = EcKey::from_seed(&1.into(), "a");
        assert_eq!(format!("{key:?} {:?}", Seed::from(1)), "EcKey(<redacted>) Seed(<redacted>)");
    }
}
