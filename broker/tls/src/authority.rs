//! The certificate authority of a run: issues server and device certificates, all from its seed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hilarm_model::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::key::EcKey;
use crate::{DeviceCertificate, PkiError, Seed, ServerIdentity};

/// From when to when a certificate says it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First valid second.
    pub not_before: Timestamp,
    /// Last valid second.
    pub not_after: Timestamp,
}

impl Validity {
    /// 2020-01-01 to 2120-01-01: wide enough for every scenario's calendar, whichever way it jumps.
    pub const WIDE: Self = Self {
        not_before: Timestamp::from_secs(1_577_836_800),
        not_after: Timestamp::from_secs(4_733_510_400),
    };
}

/// A root that signs leaves directly, so chains stay one certificate long on the wire.
pub struct CertificateAuthority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, EcKey>,
    key: EcKey,
}

impl CertificateAuthority {
    /// The authority of this name for this seed; the same again each time.
    pub fn from_seed(seed: impl Into<Seed>, name: &str) -> Result<Self, PkiError> {
        let key = EcKey::from_seed(&seed.into(), &format!("authority {name}"));
        let mut params = parameters(name, Validity::WIDE, &key)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        Self::assemble(params.self_signed(&key)?.der().clone(), key)
    }

    /// A persisted authority: its certificate and its P-256 key (PKCS #8) as PEM text.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, PkiError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| PkiError::Pem("certificate"))?
            .into_owned();
        let key = EcKey::from_pem(key)?;
        let authority = Self::assemble(der, key)?;
        authority.check_key()?;
        Ok(authority)
    }

    fn assemble(certificate: CertificateDer<'static>, key: EcKey) -> Result<Self, PkiError> {
        let issuer = Issuer::from_ca_cert_der(&certificate, key.clone())?;
        Ok(Self { certificate, issuer, key })
    }

    fn check_key(&self) -> Result<(), PkiError> {
        use x509_parser::prelude::{FromDer, X509Certificate};
        let (_, parsed) = X509Certificate::from_der(&self.certificate)
            .map_err(|_| PkiError::Certificate(rcgen::Error::CouldNotParseCertificate))?;
        let point = &parsed.public_key().subject_public_key.data;
        if point.as_ref() == self.key.der_bytes() { Ok(()) } else { Err(PkiError::KeyMismatch) }
    }

    /// The authority's certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> String {
        crate::identity::certificate_pem(&self.certificate)
    }

    /// The authority's private key, PKCS #8 PEM, for keeping beside its certificate.
    pub fn key_pem(&self) -> Result<String, PkiError> {
        self.key.pem()
    }

    /// A P-256 server certificate for these DNS names and IP addresses.
    pub fn issue_server(&self, names: &[&str], validity: Validity) -> Result<ServerIdentity, PkiError> {
        let key = EcKey::from_seed(&self.key.seed(), &format!("server {}", names.join(" ")));
        let leaf = self.sign_server(names, validity, &key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8_der()?));
        Ok(ServerIdentity::new(vec![leaf], key))
    }

    /// An RSA-2048 server certificate, for clients without P-256. Drawing the key takes about a second of
    /// CPU: keep the identity.
    pub fn issue_rsa_server(&self, names: &[&str], validity: Validity) -> Result<ServerIdentity, PkiError> {
        let mut stream = self.key.seed().stream(&format!("rsa server {}", names.join(" ")));
        let key = crate::identity::draw_rsa_key(&mut stream)?;
        let signer = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256)?;
        let leaf = self.sign_server(names, validity, &signer)?;
        Ok(ServerIdentity::new(vec![leaf], PrivateKeyDer::Pkcs8(key)))
    }

    fn sign_server(
        &self,
        names: &[&str],
        validity: Validity,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, PkiError> {
        let mut params = parameters(names.first().copied().unwrap_or("hilarm"), validity, key)?;
        params.subject_alt_names =
            names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(params.signed_by(key, &self.issuer)?.der().clone())
    }

    /// A device certificate with this common name. `key_name` tells keys of one device apart: the same name
    /// gives the same key.
    pub fn issue_device(
        &self,
        common_name: &str,
        not_before: Timestamp,
        not_after: Timestamp,
        key_name: &str,
    ) -> Result<DeviceCertificate, PkiError> {
        let key = EcKey::from_seed(&self.key.seed(), &format!("device {key_name}"));
        let mut params = parameters(common_name, Validity { not_before, not_after }, &key)?;
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer)?.der().clone();
        DeviceCertificate::new(leaf.to_vec(), &key)
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("certificate_bytes", &self.certificate.len())
            .field("key", &"<redacted>")
            .finish()
    }
}

/// The least a certificate needs: devices keep the whole chain in a buffer of 7 to 16 KiB.
pub(crate) fn parameters(
    common_name: &str,
    validity: Validity,
    key: &impl PublicKeyData,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = calendar(validity.not_before)?;
    params.not_after = calendar(validity.not_after)?;
    params.serial_number = Some(serial_number(common_name, &validity, key));
    Ok(params)
}

/// A serial number of the certificate's contents, since a random one would differ between runs.
fn serial_number(common_name: &str, validity: &Validity, key: &impl PublicKeyData) -> SerialNumber {
    let digest = Sha256::new()
        .chain_update(key.der_bytes())
        .chain_update(validity.not_before.as_secs().to_be_bytes())
        .chain_update(validity.not_after.as_secs().to_be_bytes())
        .chain_update(common_name)
        .finalize();
    let mut serial = [0; 8];
    serial.copy_from_slice(&digest[..8]);
    // RFC 5280, 4.1.2.2: positive; a leading 01..7F keeps it so without an extra byte.
    serial[0] = (serial[0] & 0x7F) | 0x01;
    SerialNumber::from_slice(&serial)
}

fn calendar(at: Timestamp) -> Result<OffsetDateTime, PkiError> {
    let writable = |date: &OffsetDateTime| (0..=9999).contains(&date.year());
    OffsetDateTime::from_unix_timestamp(at.as_secs())
        .ok()
        .filter(writable)
        .ok_or(PkiError::Validity(at.as_secs()))
}

fn alternative_name(name: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
    let text = Ia5String::from_str(name).ok().filter(|_| !name.is_empty() && name.chars().all(allowed));
    text.map(SanType::DnsName).ok_or_else(|| PkiError::Name(name.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> CertificateAuthority {
        CertificateAuthority::from_seed(42, "hilarm test").unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_certificates() {
        let (one, two) = (authority(), authority());
        assert_eq!(one.certificate_der(), two.certificate_der());
        let issue = |from: &CertificateAuthority| {
            from.issue_device("pump-1", Timestamp::from_secs(0), Timestamp::from_secs(9), "pump-1")
                .unwrap()
                .der
        };
        assert_eq!(issue(&one), issue(&two));
        assert_ne!(issue(&one), issue(&CertificateAuthority::from_seed(43, "hilarm test").unwrap()));
    }

    #[test]
    fn a_persisted_authority_issues_the_same_certificates() {
        let first = authority();
        let again = CertificateAuthority::from_pem(&first.pem(), &first.key_pem().unwrap()).unwrap();
        let names = ["hub.hilarm.test", "127.0.0.1"];
        let issue = |from: &CertificateAuthority| from.issue_server(&names, Validity::WIDE).unwrap();
        assert_eq!(issue(&first).chain(), issue(&again).chain());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let other = CertificateAuthority::from_seed(1, "other").unwrap();
        let error =
            CertificateAuthority::from_pem(&authority().pem(), &other.key_pem().unwrap()).unwrap_err();
        assert!(matches!(error, PkiError::KeyMismatch), "{error}");
        let error = CertificateAuthority::from_pem("nothing", &other.key_pem().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no certificate in the PEM text");
    }

    #[test]
    fn names_that_are_no_names_are_refused() {
        for bad in ["", "a b", "hub/x", "hüb"] {
            assert!(authority().issue_server(&[bad], Validity::WIDE).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_server_certificate_stays_small() {
        let identity = authority().issue_server(&["hub.hilarm.test", "10.77.0.10"], Validity::WIDE).unwrap();
        assert_eq!(identity.chain().len(), 1);
        assert!(identity.chain()[0].len() < 512, "{} bytes", identity.chain()[0].len());
    }
}
