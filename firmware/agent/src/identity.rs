//! What the device presents to the hub, and when an honest device replaces it: a token at 85 % of its
//! lifetime, a certificate once its `notAfter` has passed and a later one exists. Calendar time decides.
//!
//! Behaviours bend this through [`Policy`]; nothing else in the agent knows of them.

use alloc::string::String;

use hilarm_link::{Credential, DeviceConfig, X509Credential};

use crate::io::Now;
use crate::sas;

/// A token is renewed when this part of its lifetime has passed.
const RENEW_AT_PERCENT: i64 = 85;

/// How the device departs from honest use of its credential. The default is honest.
#[derive(Default)]
pub(crate) struct Policy {
    /// Present the token signed first, whatever its age.
    pub(crate) keep_token: bool,
    /// Sign tokens like this in place of the device's own.
    pub(crate) forgery: Option<Forgery>,
    /// Present the first certificate, whatever its age.
    pub(crate) keep_certificate: bool,
    /// Present this certificate in place of the device's own credential.
    pub(crate) foreign_certificate: Option<X509Credential>,
}

/// A token that nobody gave the device.
#[derive(Clone)]
pub(crate) struct Forgery {
    /// The key that signs it.
    pub(crate) guessed_key: [u8; 32],
    /// The device whose resource it claims; the device's own when absent.
    pub(crate) of_device: Option<String>,
}

struct Token {
    text: String,
    renew_at_us: i64,
}

/// What the current connection, or the last one, presented.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presented {
    Nothing,
    Token,
    GuessedToken,
    Certificate(usize),
    ForeignCertificate,
}

/// The device's credential and its use.
pub(crate) struct Identity {
    host: String,
    device_id: String,
    credential: Credential,
    token: Option<Token>,
    presented: Presented,
    pub(crate) policy: Policy,
}

impl Identity {
    /// The identity that `config` describes.
    pub(crate) fn new(config: &DeviceConfig) -> Self {
        Self {
            host: config.hub_host.clone(),
            device_id: config.device_id.clone(),
            credential: config.credential.clone(),
            token: None,
            presented: Presented::Nothing,
            policy: Policy::default(),
        }
    }

    /// Whether the device's own credential is a symmetric key.
    pub(crate) fn has_key(&self) -> bool {
        matches!(self.credential, Credential::Sas(_))
    }

    /// Whether the device has certificates of its own.
    pub(crate) fn has_certificates(&self) -> bool {
        matches!(&self.credential, Credential::X509(credentials) if !credentials.is_empty())
    }

    /// Decides what the next connection presents; its client certificate, if that is what it is.
    pub(crate) fn begin_connection(&mut self, now: Now) -> Option<X509Credential> {
        self.presented = self.choose(now);
        match self.presented {
            Presented::Certificate(index) => self.certificates().get(index).cloned(),
            Presented::ForeignCertificate => self.policy.foreign_certificate.clone(),
            Presented::Nothing | Presented::Token | Presented::GuessedToken => None,
        }
    }

    /// The password of CONNECT: a token, or nothing where a certificate was presented.
    pub(crate) fn password(&mut self, now: Now) -> Option<String> {
        match self.presented {
            Presented::Token => self.current_token(now),
            Presented::GuessedToken => self.forged_token(now),
            Presented::Nothing | Presented::Certificate(_) | Presented::ForeignCertificate => None,
        }
    }

    /// The client certificate that a request of its own presents, if that is what it presents.
    pub(crate) fn request_certificate(&self, now: Now) -> Option<X509Credential> {
        match self.choose(now) {
            Presented::Certificate(index) => self.certificates().get(index).cloned(),
            Presented::ForeignCertificate => self.policy.foreign_certificate.clone(),
            Presented::Nothing | Presented::Token | Presented::GuessedToken => None,
        }
    }

    /// The token that a request of its own presents. It is signed anew, so that the token of the connection
    /// that is up keeps its own lifetime.
    pub(crate) fn request_token(&mut self, now: Now) -> Option<String> {
        match (self.choose(now), &self.credential) {
            (Presented::Token, _) if self.policy.keep_token => self.current_token(now),
            (Presented::Token, Credential::Sas(credential)) => {
                Some(self.sign(&credential.key, now.unix_s().saturating_add(self.ttl_s())))
            }
            (Presented::GuessedToken, _) => self.forged_token(now),
            _ => None,
        }
    }

    /// Calendar time at which the connection that is up needs a fresh credential.
    pub(crate) fn renew_at_us(&self) -> Option<i64> {
        match self.presented {
            Presented::Token if !self.policy.keep_token => self.token.as_ref().map(|token| token.renew_at_us),
            Presented::Certificate(index) if !self.policy.keep_certificate => {
                let certificates = self.certificates();
                let not_after_s = certificates.get(index)?.not_after_s;
                let later = certificates.iter().any(|other| other.not_after_s > not_after_s);
                later.then(|| not_after_s.saturating_mul(1_000_000))
            }
            _ => None,
        }
    }

    fn choose(&self, now: Now) -> Presented {
        if self.policy.foreign_certificate.is_some() {
            return Presented::ForeignCertificate;
        }
        if self.policy.forgery.is_some() {
            return Presented::GuessedToken;
        }
        match &self.credential {
            Credential::Sas(_) => Presented::Token,
            Credential::X509(certificates) if certificates.is_empty() => Presented::Nothing,
            Credential::X509(_) if self.policy.keep_certificate => Presented::Certificate(0),
            Credential::X509(certificates) => {
                let valid = |certificate: &X509Credential| {
                    certificate.not_after_s.saturating_mul(1_000_000) > now.unix_us
                };
                let last = certificates.len() - 1;
                Presented::Certificate(certificates.iter().position(valid).unwrap_or(last))
            }
        }
    }

    fn current_token(&mut self, now: Now) -> Option<String> {
        let usable = |token: &&Token| self.policy.keep_token || now.unix_us < token.renew_at_us;
        if let Some(token) = self.token.as_ref().filter(usable) {
            return Some(token.text.clone());
        }
        let Credential::Sas(credential) = &self.credential else { return None };
        let ttl_s = i64::from(credential.ttl_s.max(1));
        let text = self.sign(&credential.key, now.unix_s().saturating_add(ttl_s));
        let renew_at_us = now.unix_us.saturating_add(ttl_s * 1_000_000 / 100 * RENEW_AT_PERCENT);
        self.token = Some(Token { text: text.clone(), renew_at_us });
        Some(text)
    }

    fn forged_token(&self, now: Now) -> Option<String> {
        let forgery = self.policy.forgery.as_ref()?;
        let device_id = forgery.of_device.as_ref().unwrap_or(&self.device_id);
        let expiry_s = now.unix_s().saturating_add(self.ttl_s());
        Some(sas::sign(&self.host, device_id, &forgery.guessed_key, expiry_s))
    }

    fn sign(&self, key: &[u8], expiry_s: i64) -> String {
        sas::sign(&self.host, &self.device_id, key, expiry_s)
    }

    fn ttl_s(&self) -> i64 {
        match &self.credential {
            Credential::Sas(credential) => i64::from(credential.ttl_s.max(1)),
            Credential::X509(_) => 3600,
        }
    }

    fn certificates(&self) -> &[X509Credential] {
        match &self.credential {
            Credential::X509(certificates) => certificates,
            Credential::Sas(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const T0: i64 = 1_767_225_600;

    fn at(second: i64) -> Now {
        Now { mono_us: 0, unix_us: (T0 + second) * 1_000_000 }
    }

    fn password(identity: &mut Identity, second: i64) -> Option<String> {
        assert_eq!(identity.begin_connection(at(second)), None);
        identity.password(at(second))
    }

    #[test]
    fn a_token_serves_until_85_percent_of_its_lifetime_and_not_beyond() {
        let mut identity = Identity::new(&testing::sas_config());
        let first = password(&mut identity, 0);
        assert!(first.as_ref().is_some_and(|token| token.ends_with("&se=1767229200")));
        assert_eq!(identity.renew_at_us(), Some((T0 + 3060) * 1_000_000));
        assert_eq!(password(&mut identity, 3059), first);
        assert_ne!(password(&mut identity, 3060), first);
    }

    #[test]
    fn the_first_certificate_still_valid_is_presented_without_a_password() {
        let mut identity = Identity::new(&testing::x509_config(&[T0 + 100, T0 + 200]));
        let not_after = |identity: &mut Identity, second| {
            let credential = identity.begin_connection(at(second)).unwrap();
            assert_eq!(identity.password(at(second)), None);
            credential.not_after_s - T0
        };
        assert_eq!(not_after(&mut identity, 0), 100);
        assert_eq!(identity.renew_at_us(), Some((T0 + 100) * 1_000_000));
        assert_eq!(not_after(&mut identity, 100), 200);
        assert_eq!(identity.renew_at_us(), None, "there is no later one");
        assert_eq!(not_after(&mut identity, 500), 200, "an expired one is all it has");
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_do_not_overflow() {
        let mut identity = Identity::new(&testing::sas_config());
        for unix_us in [i64::MIN, i64::MAX] {
            let now = Now { mono_us: 0, unix_us };
            identity.begin_connection(now);
            assert!(identity.password(now).is_some());
        }
    }
}
