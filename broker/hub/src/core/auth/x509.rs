//! Client certificates. TLS has proved possession of the leaf's key and judged nothing else; here the
//! leaf's validity, its thumbprint, or its chain and common name are judged by the table of [`checks`].

use hilarm_model::{DeviceId, RefusalCause, Timestamp};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::check::{Check, Checks, Reading};
use crate::core::registry::Thumbprint;

/// Presented intermediates beyond this many are not looked at.
const INTERMEDIATES_MAX: usize = 8;

/// What a client certificate claims, as far as the hub could verify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateClaim {
    /// SHA-1 thumbprint of the leaf, upper-case hexadecimal.
    pub sha1: String,
    /// SHA-256 thumbprint of the leaf, upper-case hexadecimal.
    pub sha256: String,
    /// Why it should be the device's.
    pub evidence: CertificateEvidence,
    /// Begin of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// The hub's calendar.
    pub now: Timestamp,
}

/// Why a certificate should be the device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateEvidence {
    /// The device is registered with thumbprints.
    Thumbprints(Thumbprints),
    /// The device is registered with a certificate authority.
    Chain {
        /// The chain leads to a registered authority.
        trusted: bool,
        /// The common name is the device id.
        named: bool,
    },
}

/// Which configured thumbprints the leaf has, and by which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thumbprints {
    /// It has the primary one.
    pub primary: Option<ThumbprintDigest>,
    /// It has the secondary one.
    pub secondary: Option<ThumbprintDigest>,
}

/// The digest of which a thumbprint is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThumbprintDigest {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// IoT Hub's checks of a client certificate, each independent of the others.
pub(super) fn checks() -> Checks<CertificateClaim> {
    let table = vec![
        Check::new("thumbprint", |claim: &CertificateClaim| {
            let (sha1, sha256) = (claim.sha1.clone(), claim.sha256.clone());
            let none = Thumbprints { primary: None, secondary: None };
            (claim.evidence == CertificateEvidence::Thumbprints(none))
                .then_some(RefusalCause::X509ThumbprintMismatch { sha1, sha256 })
        }),
        Check::new("trust", |claim: &CertificateClaim| {
            matches!(claim.evidence, CertificateEvidence::Chain { trusted: false, .. })
                .then_some(RefusalCause::X509NotTrusted)
        }),
        Check::new("subject", |claim: &CertificateClaim| {
            matches!(claim.evidence, CertificateEvidence::Chain { named: false, .. })
                .then_some(RefusalCause::X509SubjectMismatch)
        }),
        Check::new("not-after", |claim: &CertificateClaim| {
            let not_after = claim.not_after;
            (not_after < claim.now).then_some(RefusalCause::X509Expired { not_after })
        }),
        Check::new("not-before", |claim: &CertificateClaim| {
            let not_before = claim.not_before;
            (not_before > claim.now).then_some(RefusalCause::X509NotYetValid { not_before })
        }),
    ];
    Checks { table, reading: Reading::Every }
}

/// Reads a leaf, and compares it with configured thumbprints.
pub(super) fn claim_by_thumbprint(
    leaf: &[u8],
    primary: &Thumbprint,
    secondary: Option<&Thumbprint>,
    now: Timestamp,
) -> Result<CertificateClaim, Vec<RefusalCause>> {
    let certificate = parse(leaf)?;
    let (sha1, sha256) = (hex::encode_upper(Sha1::digest(leaf)), hex::encode_upper(Sha256::digest(leaf)));
    let digest_of = |configured: &Thumbprint| match configured.as_str() {
        text if text == sha1 => Some(ThumbprintDigest::Sha1),
        text if text == sha256 => Some(ThumbprintDigest::Sha256),
        _ => None,
    };
    let thumbprints = Thumbprints { primary: digest_of(primary), secondary: secondary.and_then(digest_of) };
    let evidence = CertificateEvidence::Thumbprints(thumbprints);
    let (not_before, not_after) = validity(&certificate);
    Ok(CertificateClaim { sha1, sha256, evidence, not_before, not_after, now })
}

/// Reads a chain, and follows it to the registered authorities.
pub(super) fn claim_by_chain<'a>(
    chain: &[Vec<u8>],
    authorities: impl Iterator<Item = &'a [u8]>,
    device: &DeviceId,
    now: Timestamp,
) -> Result<CertificateClaim, Vec<RefusalCause>> {
    let Some((der, intermediates)) = chain.split_first() else {
        return Err(vec![RefusalCause::CredentialMissing]);
    };
    let leaf = parse(der)?;
    let authorities: Vec<_> = authorities.filter_map(|der| parse(der).ok()).collect();
    let mut intermediates: Vec<_> =
        intermediates.iter().take(INTERMEDIATES_MAX).filter_map(|der| parse(der).ok()).collect();
    let evidence = CertificateEvidence::Chain {
        trusted: trusted(&leaf, &mut intermediates, &authorities, now),
        named: common_name(&leaf) == Some(device.as_str()),
    };
    let (sha1, sha256) = (hex::encode_upper(Sha1::digest(der)), hex::encode_upper(Sha256::digest(der)));
    let (not_before, not_after) = validity(&leaf);
    Ok(CertificateClaim { sha1, sha256, evidence, not_before, not_after, now })
}

/// Whether the hub can register these bytes as a certificate authority.
pub(crate) fn is_certificate(der: &[u8]) -> bool {
    parse(der).is_ok()
}

/// Subject, `notAfter` and SHA-1 thumbprint of a certificate, as the management plane shows them.
pub(crate) fn describe(der: &[u8]) -> Option<(String, Timestamp, String)> {
    let certificate = parse(der).ok()?;
    let subject = common_name(&certificate).map_or_else(|| certificate.subject().to_string(), str::to_owned);
    Some((subject, validity(&certificate).1, hex::encode_upper(Sha1::digest(der))))
}

/// Whether the verification certificate is signed with the authority's key and names the code.
pub(crate) fn proves_possession(authority: &[u8], verification: &[u8], code: &str) -> bool {
    let (Ok(authority), Ok(verification)) = (parse(authority), parse(verification)) else { return false };
    !code.is_empty()
        && common_name(&verification) == Some(code)
        && verification.verify_signature(Some(authority.public_key())).is_ok()
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Vec<RefusalCause>> {
    let malformed = |reason: &str| vec![RefusalCause::X509Malformed { reason: reason.into() }];
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(malformed("bytes follow the certificate")),
        Err(_) => Err(malformed("not a DER X.509 certificate")),
    }
}

fn validity(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    let at = |time: &x509_parser::time::ASN1Time| Timestamp::from_secs(time.timestamp());
    (at(&validity.not_before), at(&validity.not_after))
}

fn is_valid_at(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    let (not_before, not_after) = validity(certificate);
    (not_before..=not_after).contains(&now)
}

/// Walks from the leaf to an authority over the presented intermediates, in whatever order they came.
fn trusted(
    leaf: &X509Certificate<'_>,
    intermediates: &mut Vec<X509Certificate<'_>>,
    authorities: &[X509Certificate<'_>],
    now: Timestamp,
) -> bool {
    let signs = |issuer: &X509Certificate<'_>, subject: &X509Certificate<'_>| {
        issuer.subject().as_raw() == subject.issuer().as_raw()
            && is_valid_at(issuer, now)
            && subject.verify_signature(Some(issuer.public_key())).is_ok()
    };
    if authorities.iter().any(|authority| signs(authority, leaf)) {
        return true;
    }
    match intermediates.iter().position(|issuer| issuer.is_ca() && signs(issuer, leaf)) {
        None => false,
        Some(index) => {
            let issuer = intermediates.swap_remove(index);
            trusted(&issuer, intermediates, authorities, now)
        }
    }
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    certificate.subject().iter_common_name().next()?.as_str().ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use time::OffsetDateTime;

    use super::*;

    const NOT_BEFORE: i64 = 1_767_225_600;
    const NOT_AFTER: i64 = NOT_BEFORE + 86_400;
    const NOW: Timestamp = Timestamp::from_secs(NOT_BEFORE + 3_600);

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    fn params(common_name: &str, days: i64) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = OffsetDateTime::from_unix_timestamp(NOT_BEFORE).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(NOT_BEFORE + days * 86_400).unwrap();
        params
    }

    fn authority_params(name: &str, days: i64) -> CertificateParams {
        let mut params = params(name, days);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn authority(name: &str, days: i64) -> Issuer {
        CertifiedIssuer::self_signed(authority_params(name, days), KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(common_name: &str) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        params(common_name, 1).self_signed(&key).unwrap().der().to_vec()
    }

    fn issued(params: CertificateParams, issuer: &Issuer) -> Vec<u8> {
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().to_vec()
    }

    fn sha1_print(der: &[u8]) -> Thumbprint {
        Thumbprint::new(&hex::encode(Sha1::digest(der))).unwrap()
    }

    fn sha256_print(der: &[u8]) -> Thumbprint {
        Thumbprint::new(&hex::encode(Sha256::digest(der))).unwrap()
    }

    fn other() -> Thumbprint {
        Thumbprint::new(&"0".repeat(40)).unwrap()
    }

    fn pump() -> DeviceId {
        DeviceId::new("pump-1").unwrap()
    }

    fn judged(claim: Result<CertificateClaim, Vec<RefusalCause>>) -> Result<Timestamp, Vec<RefusalCause>> {
        let claim = claim?;
        let causes = checks().causes(&claim);
        if causes.is_empty() { Ok(claim.not_after) } else { Err(causes) }
    }

    fn judge_thumbprint(
        leaf: &[u8],
        primary: &Thumbprint,
        secondary: Option<&Thumbprint>,
        now: Timestamp,
    ) -> Result<Timestamp, Vec<RefusalCause>> {
        judged(claim_by_thumbprint(leaf, primary, secondary, now))
    }

    fn judge_under(chain: &[Vec<u8>], authority: &Issuer) -> Result<Timestamp, Vec<RefusalCause>> {
        judged(claim_by_chain(chain, std::iter::once(authority.der().as_ref()), &pump(), NOW))
    }

    #[test]
    fn either_thumbprint_in_either_digest_lets_the_leaf_in() {
        let leaf = leaf("any name");
        let end = Ok(Timestamp::from_secs(NOT_AFTER));
        assert_eq!(judge_thumbprint(&leaf, &sha1_print(&leaf), None, NOW), end);
        assert_eq!(judge_thumbprint(&leaf, &other(), Some(&sha256_print(&leaf)), NOW), end);
    }

    #[test]
    fn an_expired_leaf_with_a_foreign_thumbprint_has_two_causes() {
        let leaf = leaf("any name");
        let causes = judge_thumbprint(&leaf, &other(), None, Timestamp::from_secs(NOT_AFTER + 1));
        let not_after = Timestamp::from_secs(NOT_AFTER);
        let (sha1, sha256) =
            (hex::encode_upper(Sha1::digest(&leaf)), hex::encode_upper(Sha256::digest(&leaf)));
        let mismatch = RefusalCause::X509ThumbprintMismatch { sha1, sha256 };
        assert_eq!(causes, Err(vec![mismatch, RefusalCause::X509Expired { not_after }]));
    }

    #[test]
    fn validity_ends_one_second_after_not_after_and_begins_at_not_before() {
        let leaf = leaf("any name");
        let at = |second| judge_thumbprint(&leaf, &sha1_print(&leaf), None, Timestamp::from_secs(second));
        let not_before = Timestamp::from_secs(NOT_BEFORE);
        assert!(at(NOT_AFTER).is_ok() && at(NOT_AFTER + 1).is_err() && at(NOT_BEFORE).is_ok());
        assert_eq!(at(NOT_BEFORE - 1), Err(vec![RefusalCause::X509NotYetValid { not_before }]));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_malformed() {
        for bad in [vec![], vec![0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], [leaf("x"), vec![0]].concat()] {
            let causes = judge_thumbprint(&bad, &other(), None, NOW).unwrap_err();
            assert!(matches!(causes[..], [RefusalCause::X509Malformed { .. }]), "{causes:?}");
        }
    }

    #[test]
    fn a_leaf_under_a_registered_authority_with_the_devices_name_is_let_in() {
        let root = authority("root", 30);
        assert!(judge_under(&[issued(params("pump-1", 1), &root)], &root).is_ok());
    }

    #[test]
    fn intermediates_are_followed() {
        let root = authority("root", 30);
        let key = KeyPair::generate().unwrap();
        let line = CertifiedIssuer::signed_by(authority_params("line", 30), key, &root).unwrap();
        let leaf = issued(params("pump-1", 1), &line);
        assert!(judge_under(&[leaf.clone(), line.der().to_vec()], &root).is_ok());
        assert_eq!(judge_under(&[leaf], &root), Err(vec![RefusalCause::X509NotTrusted]));
    }

    #[test]
    fn an_intermediate_that_is_no_authority_is_not_followed() {
        let root = authority("root", 30);
        let key = KeyPair::generate().unwrap();
        let fake = CertifiedIssuer::signed_by(params("line", 30), key, &root).unwrap();
        let chain = [issued(params("pump-1", 1), &fake), fake.der().to_vec()];
        assert_eq!(judge_under(&chain, &root), Err(vec![RefusalCause::X509NotTrusted]));
    }

    #[test]
    fn an_authority_of_the_same_name_with_another_key_is_not_the_authority() {
        let chain = [issued(params("pump-1", 1), &authority("root", 30))];
        let causes = judge_under(&chain, &authority("root", 30));
        assert_eq!(causes, Err(vec![RefusalCause::X509NotTrusted]));
    }

    #[test]
    fn an_expired_authority_trusts_nobody() {
        let root = authority("root", 0);
        let chain = [issued(params("pump-1", 1), &root)];
        assert_eq!(judge_under(&chain, &root), Err(vec![RefusalCause::X509NotTrusted]));
    }

    #[test]
    fn another_common_name_is_a_subject_mismatch() {
        let root = authority("root", 30);
        let causes = judge_under(&[issued(params("pump-2", 1), &root)], &root);
        assert_eq!(causes, Err(vec![RefusalCause::X509SubjectMismatch]));
    }
}
