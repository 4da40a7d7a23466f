//! Keys and certificates of a scenario: all of them derive from its seed, so that they can be made again.

use std::collections::BTreeMap;

use hilarm_hub::{DeviceAuthentication, SymmetricKey, Thumbprint};
use hilarm_link::{Credential, SasCredential, X509Credential};
use hilarm_model::{DeviceId, ModuleId};
use hilarm_scenario::{Auth, DeviceSpec, DigestSpec, KeySpec, Scenario, X509Auth};
use hilarm_tls::{CertificateAuthority, DeviceCertificate};

use super::{ProvisionError, T0};
use crate::seed;

/// How long before and after the scenario begins a proof of possession is valid.
const PROOF_LIFE: std::time::Duration = std::time::Duration::from_secs(86_400);

/// A certificate of the scenario, made.
pub(super) struct Made {
    pub(super) held: X509Credential,
    sha1: String,
    sha256: String,
}

pub(super) fn make_certificates(
    scenario: &Scenario,
    seed: u64,
) -> Result<BTreeMap<String, Made>, ProvisionError> {
    let mut made = BTreeMap::new();
    for (name, spec) in &scenario.certificates {
        let common_name = spec.common_name.as_deref().unwrap_or(name);
        let not_before = spec.valid_from.map_or(T0 - spec.valid_since.0, |from| T0 + from.0);
        let not_after = T0 + spec.valid_for.0;
        let own_seed = seed::derive(seed, &format!("certificate {name}"));
        let certificate = match &spec.issued_by {
            None => DeviceCertificate::self_signed(own_seed, common_name, not_before, not_after, name)?,
            Some(issuer) => {
                let authority = authority(scenario, issuer, seed)?;
                authority.issue_device(common_name, not_before, not_after, name)?
            }
        };
        let mut held = X509Credential {
            certificate: certificate.der,
            key: certificate.key_sec1_der,
            not_after_s: not_after.as_secs(),
        };
        if scenario.certificates.values().any(|other| other.issued_by.as_ref() == Some(name)) {
            held.certificate = authority(scenario, name, seed)?.certificate_der().to_vec();
        }
        let (sha1, sha256) = (certificate.sha1_thumbprint, certificate.sha256_thumbprint);
        made.insert(name.clone(), Made { held, sha1, sha256 });
    }
    Ok(made)
}

/// A certificate that issues others is an authority.
fn authority(scenario: &Scenario, name: &str, seed: u64) -> Result<CertificateAuthority, ProvisionError> {
    let spec = scenario.certificates.get(name);
    let spec = spec.ok_or_else(|| ProvisionError::NoCertificate(name.to_owned()))?;
    let seed = seed::derive(seed, &format!("certificate {name}"));
    Ok(CertificateAuthority::from_seed(seed, spec.common_name.as_deref().unwrap_or(name))?)
}

/// What the hub keeps of a device's credentials, and what the device keeps.
pub(super) struct Credentials {
    pub(super) registered: DeviceAuthentication,
    pub(super) held: Credential,
}

impl Credentials {
    pub(super) fn new(
        id: &DeviceId,
        spec: &DeviceSpec,
        certificates: &BTreeMap<String, Made>,
        seed: u64,
    ) -> Result<Self, ProvisionError> {
        match &spec.auth {
            Auth::Sas(sas) => {
                let key = seed::key(seed, &format!("{} key of {id}", role(sas.key)));
                let ttl_s = u32::try_from(sas.ttl.0.as_secs()).unwrap_or(u32::MAX);
                Ok(Self {
                    registered: sas_keys(id, id.as_str(), seed)?,
                    held: Credential::Sas(SasCredential { key, ttl_s }),
                })
            }
            Auth::X509(x509) => Self::x509(id, x509, certificates),
            Auth::X509Ca(by_authority) => {
                let made = certificates.get(&by_authority.certificate);
                let made =
                    made.ok_or_else(|| ProvisionError::NoCertificate(by_authority.certificate.clone()))?;
                Ok(Self {
                    registered: DeviceAuthentication::CertificateAuthority,
                    held: Credential::X509(vec![made.held.clone()]),
                })
            }
        }
    }

    fn x509(
        id: &DeviceId,
        spec: &X509Auth,
        certificates: &BTreeMap<String, Made>,
    ) -> Result<Self, ProvisionError> {
        let find =
            |name: &String| certificates.get(name).ok_or_else(|| ProvisionError::NoCertificate(name.clone()));
        let thumbprint = |made: &Made| {
            let thumbprint = match spec.digest {
                DigestSpec::Sha1 => &made.sha1,
                DigestSpec::Sha256 => &made.sha256,
            };
            Thumbprint::new(thumbprint)
                .map_err(|error| ProvisionError::Identity { device: id.clone(), error: error.to_string() })
        };
        let primary = find(&spec.primary)?;
        let secondary = spec.secondary.as_ref().map(find).transpose()?;
        let held = std::iter::once(primary).chain(secondary).map(|made| made.held.clone()).collect();
        Ok(Self {
            registered: DeviceAuthentication::SelfSigned {
                primary: thumbprint(primary)?,
                secondary: secondary.map(thumbprint).transpose()?,
            },
            held: Credential::X509(held),
        })
    }
}

/// Both keys of an identity of that name.
pub(super) fn sas_keys(
    device: &DeviceId,
    name: &str,
    seed: u64,
) -> Result<DeviceAuthentication, ProvisionError> {
    let (primary, secondary) = (key(device, "primary", name, seed)?, key(device, "secondary", name, seed)?);
    Ok(DeviceAuthentication::Sas { primary, secondary })
}

/// A device's keys, one of them being the primary key of another device.
pub(crate) fn shared_keys(
    device: &DeviceId,
    owner: &DeviceId,
    becomes: KeySpec,
    seed: u64,
) -> Result<DeviceAuthentication, ProvisionError> {
    let shared = key(device, "primary", owner.as_str(), seed)?;
    let own = |role| key(device, role, device.as_str(), seed);
    Ok(match becomes {
        KeySpec::Primary => DeviceAuthentication::Sas { primary: shared, secondary: own("secondary")? },
        KeySpec::Secondary => DeviceAuthentication::Sas { primary: own("primary")?, secondary: shared },
    })
}

fn role(key: KeySpec) -> &'static str {
    match key {
        KeySpec::Primary => "primary",
        KeySpec::Secondary => "secondary",
    }
}

fn key(device: &DeviceId, role: &str, name: &str, seed: u64) -> Result<SymmetricKey, ProvisionError> {
    SymmetricKey::from_bytes(seed::key(seed, &format!("{role} key of {name}")))
        .map_err(|error| ProvisionError::Identity { device: device.clone(), error: error.to_string() })
}

/// How a device of the scenario is registered from the beginning.
pub(crate) fn registered(
    scenario: &Scenario,
    device: &DeviceId,
    seed: u64,
) -> Result<DeviceAuthentication, ProvisionError> {
    let missing =
        || ProvisionError::Identity { device: device.clone(), error: "it is in no scenario".into() };
    let spec = scenario.devices.get(device).ok_or_else(missing)?;
    let certificates = make_certificates(scenario, seed)?;
    Credentials::new(device, spec, &certificates, seed).map(|credentials| credentials.registered)
}

/// The keys of a device's module.
pub(crate) fn module_keys(
    device: &DeviceId,
    module: &ModuleId,
    seed: u64,
) -> Result<DeviceAuthentication, ProvisionError> {
    sas_keys(device, &format!("{device}/{module}"), seed)
}

/// A certificate that names a code, signed by an authority of the scenario.
pub(crate) fn proof_of_possession(
    scenario: &Scenario,
    signer: &str,
    code: &str,
    seed: u64,
) -> Result<Vec<u8>, ProvisionError> {
    let authority = authority(scenario, signer, seed)?;
    Ok(authority.issue_device(code, T0 - PROOF_LIFE, T0 + PROOF_LIFE * 3650, code)?.der)
}
