//! One server configuration for sockets and for simulation.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::time_provider::TimeProvider;
use rustls::{KeyLog, NamedGroup, ServerConfig, SignatureAlgorithm, SignatureScheme};

use crate::key::EcKey;
use crate::verifier::AnyClientCertificate;
use crate::{ServerIdentity, TlsError, entropy};

/// TLS 1.2 and 1.3, no tickets or resumption, client certificates optional.
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// A server with these identities, the preferred one first; each client gets the first one that it can
    /// verify, so an RSA identity beside a P-256 one serves clients without P-256. `key_log` receives every
    /// session's secrets.
    pub fn new(identities: &[ServerIdentity], key_log: Option<Arc<dyn KeyLog>>) -> Result<Self, TlsError> {
        let provider = Arc::new(entropy::provider());
        let resolver = ByClientAlgorithms::new(identities, &provider)?;
        let verifier = AnyClientCertificate::new(provider.signature_verification_algorithms);
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(NoClock))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(resolver));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if let Some(key_log) = key_log {
            config.key_log = key_log;
        }
        Ok(Self { config: Arc::new(config) })
    }

    /// The configuration, for a socket server.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer")
    }
}

/// Nothing here judges by the calendar (no tickets, no validity), so rustls is given no clock to read.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

#[derive(Debug)]
struct ByClientAlgorithms(Vec<Arc<CertifiedKey>>);

impl ByClientAlgorithms {
    fn new(identities: &[ServerIdentity], provider: &CryptoProvider) -> Result<Self, TlsError> {
        if identities.is_empty() {
            return Err(TlsError::NoIdentity);
        }
        let certified = |identity: &ServerIdentity| {
            let key = signing_key(identity.key(), provider)?;
            Ok(Arc::new(CertifiedKey::new(identity.chain().to_vec(), key)))
        };
        identities.iter().map(certified).collect::<Result<_, TlsError>>().map(Self)
    }
}

impl ResolvesServerCert for ByClientAlgorithms {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let verifiable = |identity: &&Arc<CertifiedKey>| {
            identity.key.choose_scheme(hello.signature_schemes()).is_some() && knows_curve(identity, &hello)
        };
        // A client that can verify none is still shown the first: its alert then says what it lacks.
        self.0.iter().find(verifiable).or(self.0.first()).cloned()
    }
}

/// RFC 8422, 5.1.1: the groups of a TLS 1.2 client also limit the curve of the server's key.
fn knows_curve(identity: &CertifiedKey, hello: &ClientHello<'_>) -> bool {
    let groups = hello.named_groups().unwrap_or_default();
    identity.key.algorithm() != SignatureAlgorithm::ECDSA
        || groups.is_empty()
        || groups.contains(&NamedGroup::secp256r1)
}

/// P-256 keys sign by RFC 6979, so that simulated handshakes repeat; ring signs with the others.
fn signing_key(
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, TlsError> {
    if let PrivateKeyDer::Pkcs8(pkcs8) = key
        && let Ok(key) = EcKey::from_pkcs8(pkcs8.secret_pkcs8_der())
    {
        return Ok(Arc::new(EcSigner(key)));
    }
    Ok(provider.key_provider.load_private_key(key.clone_key())?)
}

#[derive(Clone, Debug)]
struct EcSigner(EcKey);

impl SigningKey for EcSigner {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let known = offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        known.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for EcSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(self.0.sign_der(message))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
