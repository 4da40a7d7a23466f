//! TLS 1.3 for one connection: the hub is verified against the configured authority at granted calendar time;
//! a client certificate is presented where the agent asks for one.

use alloc::boxed::Box;
use alloc::vec;

use embassy_net::tcp::{Error, TcpReader, TcpWriter};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::pki::CertVerifier;
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, SignatureScheme, TlsClock, TlsError, TlsVerifier,
};
use hilarm_link::X509Credential;
use p256::SecretKey;
use p256::ecdsa::signature::SignerMut;
use p256::ecdsa::{DerSignature, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRngCore;

use crate::time;

/// The one cipher suite of this device.
pub(crate) type Suite = Aes128GcmSha256;

/// RFC 8446, 5.2: the longest protected record.
const RECORD_BYTES_MAX: usize = 16_640;
const SERVER_CHAIN_BYTES_MAX: usize = 4096;

/// Buffers of one connection for what comes and what goes, on the heap because a task's stack is shared. The
/// library fills its buffer up to what it keeps for itself, so the buffer's length decides how long records
/// get (RFC 8446, 5.1: up to 16384 bytes of plaintext).
pub(crate) fn record_buffers(outgoing_bytes: usize) -> (Box<[u8]>, Box<[u8]>) {
    let outgoing_bytes = outgoing_bytes + embedded_tls::TLS_RECORD_OVERHEAD;
    (vec![0; RECORD_BYTES_MAX].into_boxed_slice(), vec![0; outgoing_bytes].into_boxed_slice())
}

/// Granted calendar time, for the validity of certificates.
pub(crate) struct GrantedClock;

impl TlsClock for GrantedClock {
    fn now() -> Option<u64> {
        // Before the first grant no certificate is valid: nothing would switch the check off.
        Some(time::unix_s().unwrap_or(0))
    }
}

/// Verifier, randomness and client credential of one connection.
pub(crate) struct Provider<'a> {
    rng: &'a mut ChaCha20Rng,
    verifier: CertVerifier<'a, Suite, GrantedClock, SERVER_CHAIN_BYTES_MAX>,
    client: Option<&'a X509Credential>,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(
        rng: &'a mut ChaCha20Rng,
        authority: &'a [u8],
        client: Option<&'a X509Credential>,
    ) -> Self {
        Self { rng, verifier: CertVerifier::new(Certificate::X509(authority)), client }
    }
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Suite;
    type Signature = DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Suite>, TlsError> {
        Ok(&mut self.verifier)
    }

    fn signer(&mut self) -> Result<(impl SignerMut<DerSignature>, SignatureScheme), TlsError> {
        let credential = self.client.ok_or(TlsError::InvalidPrivateKey)?;
        let key = SecretKey::from_sec1_der(&credential.key).map_err(|_| TlsError::InvalidPrivateKey)?;
        Ok((SigningKey::from(&key), SignatureScheme::EcdsaSecp256r1Sha256))
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        self.client.map(|credential| Certificate::X509(credential.certificate.as_slice()))
    }
}

/// Both halves of a TCP socket behind a handle that can be cloned, as splitting a TLS connection requires.
/// One reader and one writer use it, so neither ever waits for a lock.
#[derive(Clone)]
pub(crate) struct Halves<'a> {
    pub(crate) reader: &'a Mutex<NoopRawMutex, TcpReader<'a>>,
    pub(crate) writer: &'a Mutex<NoopRawMutex, TcpWriter<'a>>,
}

impl ErrorType for Halves<'_> {
    type Error = Error;
}

impl Read for Halves<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.reader.lock().await.read(buffer).await
    }
}

impl Write for Halves<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.writer.lock().await.write(bytes).await
    }

    /// Nothing to do: the stack sends as soon as it can, and waiting for acknowledgements would serialise
    /// every message with the round trip.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
