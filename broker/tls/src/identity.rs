//! A server's certificate chain with its private key, made by our authority or loaded from PEM.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use rsa::pkcs8::EncodePrivateKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::PkiError;

const RSA_BITS: usize = 2048;

/// What a server shows and signs with.
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ServerIdentity {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// A chain (leaf first) and its key from PEM text.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, PkiError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| PkiError::Pem("certificate"))?;
        if chain.is_empty() {
            return Err(PkiError::Pem("certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| PkiError::Pem("private key"))?;
        Ok(Self { chain, key })
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// The chain, PEM.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| certificate_pem(der)).collect()
    }

    /// The private key, PEM.
    pub fn key_pem(&self) -> String {
        let label = match self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        pem(label, self.key.secret_der())
    }
}

impl Clone for ServerIdentity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity")
            .field("certificates", &self.chain.len())
            .field("key", &"<redacted>")
            .finish()
    }
}

pub(crate) fn certificate_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// RFC 7468, 2: lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + &format!("-----END {label}-----\n")
}

/// An RSA key out of a stream, so that a persisted authority gives the same one again.
pub(crate) fn draw_rsa_key(stream: &mut ChaCha20Rng) -> Result<PrivatePkcs8KeyDer<'static>, PkiError> {
    let key = rsa::RsaPrivateKey::new(&mut Stream(stream), RSA_BITS)
        .map_err(|_| PkiError::Key("no RSA key could be drawn"))?;
    let der = key.to_pkcs8_der().map_err(|_| PkiError::Key("RSA key does not encode as PKCS #8"))?;
    Ok(PrivatePkcs8KeyDer::from(der.as_bytes().to_vec()))
}

/// The stream behind the older traits that the `rsa` crate asks for.
struct Stream<'a>(&'a mut ChaCha20Rng);

impl rsa::rand_core::RngCore for Stream<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.0.fill_bytes(out);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Stream<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateAuthority, Validity};

    #[test]
    fn an_identity_comes_back_from_pem() {
        let authority = CertificateAuthority::from_seed(1, "a").unwrap();
        let made = authority.issue_server(&["hub.hilarm.test"], Validity::WIDE).unwrap();
        let read = ServerIdentity::from_pem(&made.chain_pem(), &made.key_pem()).unwrap();
        assert_eq!(read.chain(), made.chain());
        assert_eq!(read.key().secret_der(), made.key().secret_der());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(ServerIdentity::from_pem("", "").is_err());
    }
}
