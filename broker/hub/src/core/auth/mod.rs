//! Authentication: judges a claimed identity and what was presented for it at the hub's calendar time,
//! and names every independent cause of a refusal. It never tells the peer which one it was.
//!
//! Order (IoT Hub): the identity exists; it is enabled; the kind of credential fits; then the token
//! (`sas`) or the certificate (`x509`). What is presented becomes a claim, and tables of checks judge claims:
//! [`Authentication`] is those tables, IoT Hub's by default.

mod check;
mod sas;
pub(crate) mod x509;

use hilarm_model::{RefusalCause, Timestamp, UsedAuthentication};

pub use self::check::{Check, Checks, Reading, Refuses};
pub use self::sas::TokenClaim;
pub use self::x509::{CertificateClaim, CertificateEvidence, ThumbprintDigest, Thumbprints};
use super::registry::{ClientIdentity, DeviceAuthentication, Registry};

/// What a peer presented.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    /// A SAS token; an empty one counts as none.
    pub(crate) token: Option<&'a [u8]>,
    /// Client certificates, leaf first.
    pub(crate) chain: &'a [Vec<u8>],
}

/// A registered identity, as it is judged whatever it presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityClaim {
    /// Whether the device is enabled.
    pub enabled: bool,
}

/// How a hub judges credentials. The default is IoT Hub's way.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Checks of the identity. Read to the end, the credential is judged as well.
    pub identity: Checks<IdentityClaim>,
    /// Checks of a SAS token.
    pub token: Checks<TokenClaim>,
    /// Checks of a client certificate.
    pub certificate: Checks<CertificateClaim>,
}

impl Default for Authentication {
    fn default() -> Self {
        let enabled = Check::new("enabled", |claim: &IdentityClaim| {
            (!claim.enabled).then_some(RefusalCause::DeviceDisabled)
        });
        Self {
            identity: Checks { table: vec![enabled], reading: Reading::Every },
            token: sas::checks(),
            certificate: x509::checks(),
        }
    }
}

impl Authentication {
    /// Lets an identity in, or names the causes (at least one) for refusing it.
    pub(crate) fn judge(
        &self,
        registry: &Registry,
        host: &str,
        identity: &ClientIdentity,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        let (Some(device), Some(required)) =
            (registry.device(&identity.device), registry.authentication(identity))
        else {
            return Err(vec![RefusalCause::UnknownDevice]);
        };
        let mut causes = self.identity.causes(&IdentityClaim { enabled: device.enabled });
        if !causes.is_empty() && self.identity.reading == Reading::First {
            return Err(causes);
        }
        match self.judge_credential(registry, host, identity, required, presented, now) {
            Ok(used) if causes.is_empty() => Ok(used),
            judged => {
                causes.extend(judged.err().unwrap_or_default());
                Err(causes)
            }
        }
    }

    fn judge_credential(
        &self,
        registry: &Registry,
        host: &str,
        identity: &ClientIdentity,
        required: &DeviceAuthentication,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        let token = presented.token.filter(|token| !token.is_empty());
        let leaf = presented.chain.first();
        match (required, token, leaf) {
            (_, None, None) => Err(vec![RefusalCause::CredentialMissing]),
            (DeviceAuthentication::Sas { primary, secondary }, Some(token), _) => {
                let claim = sas::claim(token, host, identity, [primary, secondary], now)?;
                self.judge_token(&claim)
            }
            (DeviceAuthentication::Sas { .. }, None, Some(_)) | (_, Some(_), _) => {
                Err(vec![RefusalCause::CredentialKindMismatch])
            }
            (DeviceAuthentication::SelfSigned { primary, secondary }, None, Some(leaf)) => {
                let claim = x509::claim_by_thumbprint(leaf, primary, secondary.as_ref(), now)?;
                self.judge_certificate(claim)
            }
            (DeviceAuthentication::CertificateAuthority, None, Some(_)) => {
                let authorities = registry.authorities();
                let claim = x509::claim_by_chain(presented.chain, authorities, &identity.device, now)?;
                self.judge_certificate(claim)
            }
        }
    }

    fn judge_token(&self, claim: &TokenClaim) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        let causes = self.token.causes(claim);
        if causes.is_empty() { Ok(UsedAuthentication::Sas { expiry: claim.expiry }) } else { Err(causes) }
    }

    fn judge_certificate(&self, claim: CertificateClaim) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        let causes = self.certificate.causes(&claim);
        let CertificateClaim { not_after, sha256, .. } = claim;
        if causes.is_empty() { Ok(UsedAuthentication::X509 { not_after, sha256 }) } else { Err(causes) }
    }
}

#[cfg(test)]
mod tests {
    use hilarm_model::DeviceId;

    use super::super::registry::{SymmetricKey, Thumbprint};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn registry(authentication: DeviceAuthentication) -> (Registry, ClientIdentity) {
        let mut registry = Registry::default();
        let device = DeviceId::new("pump-1").unwrap();
        registry.put_device(device.clone(), authentication);
        (registry, ClientIdentity { device, module: None })
    }

    fn sas_device() -> (Registry, ClientIdentity) {
        let key = SymmetricKey::from_bytes([1; 32]).unwrap();
        registry(DeviceAuthentication::Sas { primary: key.clone(), secondary: key })
    }

    fn refuse(
        (registry, identity): &(Registry, ClientIdentity),
        presented: Presented<'_>,
    ) -> Vec<RefusalCause> {
        Authentication::default().judge(registry, "hub", identity, presented, NOW).unwrap_err()
    }

    #[test]
    fn an_unknown_device_is_unknown_whatever_it_presents() {
        let world = (Registry::default(), sas_device().1);
        let token = Presented { token: Some(b"x"), chain: &[] };
        assert_eq!(refuse(&world, token), [RefusalCause::UnknownDevice]);
    }

    #[test]
    fn nothing_presented_is_a_missing_credential_for_every_kind() {
        let nothing = Presented { token: Some(b""), chain: &[] };
        assert_eq!(refuse(&sas_device(), nothing), [RefusalCause::CredentialMissing]);
        let by_authority = registry(DeviceAuthentication::CertificateAuthority);
        assert_eq!(refuse(&by_authority, nothing), [RefusalCause::CredentialMissing]);
    }

    #[test]
    fn a_token_for_a_certificate_and_the_reverse_do_not_fit() {
        let primary = Thumbprint::new(&"a".repeat(40)).unwrap();
        let self_signed = registry(DeviceAuthentication::SelfSigned { primary, secondary: None });
        let chain = [vec![1]];
        let both = Presented { token: Some(b"x"), chain: &chain };
        assert_eq!(refuse(&self_signed, both), [RefusalCause::CredentialKindMismatch]);
        let certificate = Presented { token: None, chain: &chain };
        assert_eq!(refuse(&sas_device(), certificate), [RefusalCause::CredentialKindMismatch]);
    }

    #[test]
    fn a_disabled_device_is_refused_and_its_token_judged_all_the_same() {
        let (mut registry, identity) = sas_device();
        registry.device_mut(&identity.device).unwrap().enabled = false;
        let key = SymmetricKey::from_bytes([1; 32]).unwrap();
        let good = sas::tests::token(&key, "hub/devices/pump-1", 2_000);
        let stale = sas::tests::token(&key, "hub/devices/pump-1", 1_000);
        let world = (registry, identity);
        let present = |token: &str| refuse(&world, Presented { token: Some(token.as_bytes()), chain: &[] });
        assert_eq!(present(&good), [RefusalCause::DeviceDisabled]);
        let expired = RefusalCause::SasExpired { expiry: Timestamp::from_secs(1_000) };
        assert_eq!(present(&stale), [RefusalCause::DeviceDisabled, expired]);
    }
}
