//! Accepts any well-formed client certificate, X.509 v1 included, and insists on proof of possession.
//!
//! It judges no chain, no validity and no name: that is the hub's part. A peer that cannot sign with the
//! leaf's key never gets as far as the hub.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

/// The verifier of every [`crate::TlsServer`].
#[derive(Debug)]
pub(crate) struct AnyClientCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClientCertificate {
    pub(crate) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms }
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(CertificateError::BadEncoding.into()),
    }
}

/// webpki refuses certificates below version 3, so the signature is verified under the bare public key.
fn verify_under_key(
    message: &[u8],
    certificate: &X509Certificate<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = certificate.public_key();
    let bits = &key.subject_public_key.data;
    let candidates = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let proven = candidates
        .flat_map(|(_, algorithms)| algorithms.iter())
        .filter(|algorithm| names_algorithm(key.raw, algorithm.public_key_alg_id().as_ref()))
        .any(|algorithm| algorithm.verify_signature(bits, message, signed.signature()).is_ok());
    if proven { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

/// Whether a SubjectPublicKeyInfo's AlgorithmIdentifier has exactly these contents: it comes right after the
/// outer SEQUENCE's header, itself a SEQUENCE with a one-byte length.
fn names_algorithm(key_info: &[u8], identifier: &[u8]) -> bool {
    let header = match key_info.get(1) {
        Some(length) if length & 0x80 == 0 => 2,
        Some(length) => 2 + usize::from(length & 0x7F),
        None => return false,
    };
    let Some([0x30, length, rest @ ..]) = key_info.get(header..) else { return false };
    *length < 0x80 && rest.get(..usize::from(*length)) == Some(identifier)
}

impl ClientCertVerifier for AnyClientCertificate {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        parse(end_entity).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parsed = parse(certificate)?;
        if parsed.version() == X509Version::V3 {
            return verify_tls12_signature(message, certificate, signed, &self.algorithms);
        }
        verify_under_key(message, &parsed, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parsed = parse(certificate)?;
        if parsed.version() == X509Version::V3 {
            return verify_tls13_signature(message, certificate, signed, &self.algorithms);
        }
        let legacy = [
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
        ];
        // RFC 8446, 4.2.3: PKCS #1 v1.5 signatures have no place in a handshake of TLS 1.3.
        if legacy.contains(&signed.scheme) {
            return Err(CertificateError::BadSignature.into());
        }
        verify_under_key(message, &parsed, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
