//! What is compared in identities and in the outcomes of their authentication.

use hilarm_model::{
    ConnectionRefused, HubEvent, RefusalCause, RegisteredAuthentication, Timestamp, UsedAuthentication,
};

use super::{Operand, operands};

pub(super) const ACCEPTED: &[Operand] = operands! {
    HubEvent::ConnectionAccepted { authentication, .. } => {
        "tokens and certificates confused": *authentication = confused(authentication),
    }
};

pub(super) const CAUSES: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "only the first cause of a refusal counts": refused.causes.truncate(1),
        "only the last cause of a refusal counts": drop(refused.causes.drain(..refused.causes.len().saturating_sub(1))),
    }
};

pub(super) const STRANGERS: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "refusals of strangers are a device's": refused.registered = true,
        "refusals of devices are a stranger's": refused.registered = false,
    }
};

pub(super) const TOKENS: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "an expired token taken for a forged one": mistake(refused, is_expired_token, &forged_token()),
        "a forged token taken for an expired one": mistake(refused, is_forged_token, &expired_token()),
    }
};

pub(super) const CERTIFICATES: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "an expired certificate taken for a foreign one":
            mistake(refused, is_expired_certificate, &foreign_certificate()),
        "a foreign certificate taken for an expired one":
            mistake(refused, is_foreign_certificate, &expired_certificate()),
    }
};

/// A shared leaf is looked for among the foreign ones.
pub(super) const LEAVES: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "a foreign certificate taken for an expired one":
            mistake(refused, is_foreign_certificate, &expired_certificate()),
    }
};

/// What is no credential at all is nobody's unauthorized operation.
pub(super) const MALFORMED: &[Operand] = operands! {
    HubEvent::ConnectionRefused(refused) => {
        "a malformed user name is unauthorized":
            mistake(refused, is_malformed_name, &RefusalCause::CredentialMissing),
        "an unknown protocol level is unauthorized":
            mistake(refused, is_unknown_level, &RefusalCause::CredentialMissing),
        "a throttled connection is unauthorized":
            mistake(refused, is_throttled, &RefusalCause::CredentialMissing),
    }
};

pub(super) const REGISTERED: &[Operand] = operands! {
    HubEvent::DeviceRegistered { device, authentication, .. } => {
        "primary credentials are not compared": match authentication {
            RegisteredAuthentication::Sas { primary_sha256, .. } => *primary_sha256 = device.to_string(),
            RegisteredAuthentication::SelfSigned { primary, .. } => *primary = device.to_string(),
            RegisteredAuthentication::CertificateAuthority => {}
        },
        "secondary credentials are not compared": match authentication {
            RegisteredAuthentication::Sas { secondary_sha256, .. } => *secondary_sha256 = device.to_string(),
            RegisteredAuthentication::SelfSigned { secondary, .. } => *secondary = None,
            RegisteredAuthentication::CertificateAuthority => {}
        },
        "primary and secondary keys are not compared crosswise": mark_keys(authentication),
    }
};

pub(super) const STATUS: &[Operand] = operands! {
    HubEvent::DeviceStatusChanged { enabled, .. } => {
        "disabled devices count": *enabled = true,
        "enabled devices do not count": *enabled = false,
    }
};

/// Takes every cause of a kind for another one.
fn mistake(refused: &mut ConnectionRefused, is_of_kind: fn(&RefusalCause) -> bool, other: &RefusalCause) {
    for cause in refused.causes.iter_mut().filter(|cause| is_of_kind(cause)) {
        cause.clone_from(other);
    }
}

/// Lets no primary key be equal to a secondary one.
fn mark_keys(authentication: &mut RegisteredAuthentication) {
    if let RegisteredAuthentication::Sas { primary_sha256, secondary_sha256 } = authentication {
        primary_sha256.insert(0, 'P');
        secondary_sha256.insert(0, 'S');
    }
}

fn confused(authentication: &UsedAuthentication) -> UsedAuthentication {
    let (not_after, expiry) = (Timestamp::default(), Timestamp::default());
    match authentication {
        UsedAuthentication::Sas { .. } => UsedAuthentication::X509 { not_after, sha256: "00".repeat(32) },
        UsedAuthentication::X509 { .. } => UsedAuthentication::Sas { expiry },
    }
}

fn is_expired_token(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::SasExpired { .. })
}

fn expired_token() -> RefusalCause {
    RefusalCause::SasExpired { expiry: Timestamp::default() }
}

fn is_forged_token(cause: &RefusalCause) -> bool {
    *cause == forged_token()
}

fn forged_token() -> RefusalCause {
    RefusalCause::SasInvalidSignature
}

fn is_expired_certificate(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::X509Expired { .. })
}

fn expired_certificate() -> RefusalCause {
    RefusalCause::X509Expired { not_after: Timestamp::default() }
}

fn is_foreign_certificate(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::X509ThumbprintMismatch { .. })
}

fn foreign_certificate() -> RefusalCause {
    RefusalCause::X509ThumbprintMismatch { sha1: "00".repeat(20), sha256: "00".repeat(32) }
}

fn is_malformed_name(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::UserNameMalformed { .. })
}

fn is_throttled(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::Throttled)
}

fn is_unknown_level(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::ProtocolLevel { .. })
}
