//! What can go wrong with certificates and sessions. Texts are fragments that fit "failed to ...: {error}".

use thiserror::Error;

/// Why a certificate or key could not be made or read.
#[derive(Debug, Error)]
pub enum PkiError {
    /// The certificate could not be built or signed, or an authority's certificate does not parse.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A key is not what it should be; the text never holds key material.
    #[error("private key: {0}")]
    Key(&'static str),
    /// A name is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// A validity bound lies outside the years that X.509 can write.
    #[error("validity bound {0} s is outside the years 0000 to 9999")]
    Validity(i64),
    /// A PEM file holds no section of the kind that is needed.
    #[error("no {0} in the PEM text")]
    Pem(&'static str),
    /// The key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
}

/// Why a TLS configuration or session ended.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The protocol failed; an alert may still wait in `poll_transmit`.
    #[error("tls: {0}")]
    Protocol(#[from] rustls::Error),
    /// rustls refused bytes that its own buffers should have had room for.
    #[error("tls buffers: {0}")]
    Buffer(#[from] std::io::Error),
    /// A server needs at least one identity.
    #[error("no server certificate given")]
    NoIdentity,
    /// An identity's key could not be used.
    #[error("server key: {0}")]
    Identity(#[from] PkiError),
}
