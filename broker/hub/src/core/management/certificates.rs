//! Certificates of the hub (`.../certificates/{name}`): adding, replacing, verifying and deleting, guarded
//! by ETags. Verified ones are the authorities that devices' chains may lead to. Every write and deletion
//! is a fact, the failed ones too.
//!
//! Decided, because Microsoft documents nothing about it: an authority that has expired or is not valid yet is taken
//! and verified like any other. Chains that lead to it are refused (`auth::x509`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{CertificateChange, HubEvent, Now, Timestamp};
use rand::Rng;
use serde_json::{Value, json};

use super::hub_id;
use crate::core::Core;
use crate::core::auth::x509;
use crate::core::calendar::rfc1123;
use crate::service::{Caller, HubError, ManagedReply, ServiceReply};

/// IoT Hub takes so many certificates.
const CERTIFICATES_MAX: usize = 25;
const NAME_BYTES_MAX: usize = 64;

/// A certificate of the hub.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    verified: bool,
    verification_code: Option<String>,
    etag: String,
    created: Timestamp,
    updated: Timestamp,
}

/// What a write did.
struct Written {
    status: u16,
    change: CertificateChange,
}

impl Core {
    pub(in crate::core) fn put_certificate(
        &mut self,
        name: String,
        certificate: &[u8],
        verified: bool,
        if_match: Option<&str>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let written = self.add_or_replace(&name, certificate, verified, if_match, now);
        self.conclude_write(name, written, caller, now)
    }

    pub(in crate::core) fn verify_certificate(
        &mut self,
        name: String,
        verification: &[u8],
        if_match: Option<&str>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let written = self.verify(&name, verification, if_match, now);
        self.conclude_write(name, written, caller, now)
    }

    fn conclude_write(
        &mut self,
        name: String,
        written: Result<Written, HubError>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let status = written.as_ref().map_or_else(HubError::status, |written| written.status);
        let change = written.as_ref().ok().map(|written| written.change);
        let caller = caller.name.clone();
        self.record(HubEvent::CertificateWritten { name: name.clone(), status, change, caller }, now);
        written.and_then(|written| self.certificate_reply(name, written.status))
    }

    fn add_or_replace(
        &mut self,
        name: &str,
        certificate: &[u8],
        verified: bool,
        if_match: Option<&str>,
        now: Now,
    ) -> Result<Written, HubError> {
        let well_named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(well_named) {
            return Err(HubError::ArgumentInvalid(format!("{name:?} names no certificate")));
        }
        let der = der(certificate)?;
        self.expect_etag(name, if_match)?;
        let known = self.management.certificates.get(name);
        if known.is_none() && self.management.certificates.len() >= CERTIFICATES_MAX {
            return Err(HubError::ArgumentInvalid(format!(
                "a hub has at most {CERTIFICATES_MAX} certificates"
            )));
        }
        let change = match known {
            None => CertificateChange::Added,
            Some(known) if known.der != der => CertificateChange::Replaced,
            Some(_) => CertificateChange::Unchanged,
        };
        let created = known.map_or(now.unix, |known| known.created);
        let kept = known.is_some_and(|known| known.verified) && change == CertificateChange::Unchanged;
        let status = super::written(known.is_some());
        let verified = verified || kept;
        let etag = self.etag();
        let certificate =
            Certificate { der, verified, verification_code: None, etag, created, updated: now.unix };
        self.trust(name, &certificate);
        self.management.certificates.insert(name.to_owned(), certificate);
        Ok(Written { status, change })
    }

    /// Only verified certificates are authorities.
    fn trust(&mut self, name: &str, certificate: &Certificate) {
        if certificate.verified {
            self.registry.put_authority(name.to_owned(), certificate.der.clone());
        } else {
            self.registry.delete_authority(name);
        }
    }

    fn verify(
        &mut self,
        name: &str,
        verification: &[u8],
        if_match: Option<&str>,
        now: Now,
    ) -> Result<Written, HubError> {
        let not_found = || HubError::CertificateNotFound(name.to_owned());
        if !self.management.certificates.contains_key(name) {
            return Err(not_found());
        }
        self.expect_etag(name, if_match)?;
        let verification = der(verification)?;
        let etag = self.etag();
        let known = self.management.certificates.get_mut(name).ok_or_else(not_found)?;
        let code = known.verification_code.clone().unwrap_or_default();
        if !x509::proves_possession(&known.der, &verification, &code) {
            let why = "the verification certificate does not prove possession of the key";
            return Err(HubError::ArgumentInvalid(why.into()));
        }
        (known.verified, known.etag, known.updated) = (true, etag, now.unix);
        let known = known.clone();
        self.trust(name, &known);
        Ok(Written { status: 200, change: CertificateChange::Unchanged })
    }

    pub(in crate::core) fn delete_certificate(
        &mut self,
        name: String,
        if_match: Option<&str>,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let existed = self.management.certificates.contains_key(&name);
        let outcome = self.expect_etag(&name, if_match).map(|()| super::deleted(existed));
        let status = match &outcome {
            Ok(ServiceReply::Managed(reply)) => reply.status,
            Ok(_) => 200,
            Err(why) => why.status(),
        };
        if outcome.is_ok() {
            self.management.certificates.remove(&name);
            self.registry.delete_authority(&name);
        }
        let caller = caller.name.clone();
        self.record(HubEvent::CertificateDeleted { name, status, existed, caller }, now);
        outcome
    }

    /// The older request: there must be one.
    pub(in crate::core) fn delete_authority(
        &mut self,
        name: String,
        caller: &Caller,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        if self.management.certificates.contains_key(&name) {
            return self.delete_certificate(name, None, caller, now);
        }
        let caller = caller.name.clone();
        let event = HubEvent::CertificateDeleted { name: name.clone(), status: 404, existed: false, caller };
        self.record(event, now);
        Err(HubError::CertificateNotFound(name))
    }

    pub(in crate::core) fn generate_verification_code(
        &mut self,
        name: String,
    ) -> Result<ServiceReply, HubError> {
        let code = format!("{:048X}", self.random.random::<u128>());
        let known = self.management.certificates.get_mut(&name);
        let known = known.ok_or_else(|| HubError::CertificateNotFound(name.clone()))?;
        known.verification_code = Some(code);
        self.certificate_reply(name, 200)
    }

    pub(in crate::core) fn certificate_reply(
        &self,
        name: String,
        status: u16,
    ) -> Result<ServiceReply, HubError> {
        let Some(certificate) = self.management.certificates.get(&name) else {
            return Err(HubError::CertificateNotFound(name));
        };
        let body = certificate.to_json(&hub_id(&self.config.host), &name);
        Ok(ServiceReply::Managed(ManagedReply { status, etag: Some(certificate.etag.clone()), body }))
    }

    /// `If-Match` (RFC 9110, 13.1.1): `*` needs a certificate, anything else needs that one.
    fn expect_etag(&self, name: &str, if_match: Option<&str>) -> Result<(), HubError> {
        let Some(expected) = if_match else { return Ok(()) };
        let known = self.management.certificates.get(name);
        let holds = known.is_some_and(|known| expected == "*" || expected.trim_matches('"') == known.etag);
        if holds { Ok(()) } else { Err(HubError::PreconditionFailed(format!("{name} has another ETag"))) }
    }

    fn etag(&mut self) -> String {
        STANDARD.encode(self.random.random::<[u8; 9]>())
    }
}

impl Certificate {
    fn to_json(&self, hub: &str, name: &str) -> Value {
        let (subject, not_after, thumbprint) = x509::describe(&self.der).unwrap_or_default();
        let mut properties = json!({
            "subject": subject,
            "expiry": rfc1123(not_after),
            "thumbprint": thumbprint,
            "isVerified": self.verified,
            "created": rfc1123(self.created),
            "updated": rfc1123(self.updated),
            "certificate": STANDARD.encode(&self.der),
        });
        if let (Some(code), Some(properties)) = (&self.verification_code, properties.as_object_mut()) {
            properties.insert("verificationCode".into(), code.as_str().into());
        }
        json!({
            "id": format!("{hub}/certificates/{name}"),
            "name": name,
            "type": "Microsoft.Devices/IotHubs/Certificates",
            "etag": self.etag,
            "properties": properties,
        })
    }
}

/// The DER of what a request carries: DER, PEM, or base64 of either.
fn der(bytes: &[u8]) -> Result<Vec<u8>, HubError> {
    let candidates = [Some(bytes.to_vec()), unarmoured(bytes), STANDARD.decode(bytes.trim_ascii()).ok()];
    for candidate in candidates.into_iter().flatten() {
        if x509::is_certificate(&candidate) {
            return Ok(candidate);
        }
        if let Some(inner) = unarmoured(&candidate).filter(|inner| x509::is_certificate(inner)) {
            return Ok(inner);
        }
    }
    Err(HubError::ArgumentInvalid("not an X.509 certificate".into()))
}

/// What the first PEM block of a text holds (RFC 7468).
fn unarmoured(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let digits: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(digits).ok()
}
