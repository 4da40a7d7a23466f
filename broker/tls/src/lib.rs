//! TLS sans-I/O: certificates in, plaintext and peer facts out.
//!
//! [`TlsServer`] is one configuration for both worlds: the socket server hands it to tokio-rustls, the
//! virtual network drives it through [`TlsSession`] with bytes alone. Both offer TLS 1.2 and 1.3, resume
//! nothing (every connection presents its certificate), and accept any well-formed client certificate with
//! real proof of possession; whether a certificate is good enough is the hub's judgement, not ours.
//! The PKI ([`CertificateAuthority`]) makes the same certificates from the same seed: P-256 keys out of a
//! ChaCha20 stream and RFC 6979 signatures.
//!
//! This room opens no socket and reads no clock. Implements RFC 8446 and RFC 5246 by rustls.

mod authority;
mod device;
mod entropy;
mod error;
mod facts;
mod identity;
mod key;
mod key_log;
mod server;
mod session;
mod verifier;

pub use authority::{CertificateAuthority, Validity};
pub use device::DeviceCertificate;
pub use error::{PkiError, TlsError};
pub use facts::peer_facts;
pub use identity::ServerIdentity;
pub use key::Seed;
pub use key_log::KeyLogBuffer;
pub use server::TlsServer;
pub use session::TlsSession;
