//! What is compared in operations of the management plane and calls of the service side.

use hilarm_model::{CertificateChange, FilterAction, HubEvent};

use super::{Operand, operands};

/// Of a call that was refused for want of a right.
const UNAUTHORIZED: u32 = 401_002;

pub(super) const CALLS: &[Operand] = operands! {
    HubEvent::ServiceOperationRefused { code, .. } => {
        "calls refused for another reason are unauthorized": *code = UNAUTHORIZED,
    }
};

pub(super) const WRITTEN: &[Operand] = operands! {
    HubEvent::CertificateWritten { status, .. } => {
        "every status is a success": *status = 200,
        "every status is a failure": *status = 400,
        "status one higher: success from 201 on, failure from 401 on": *status -= 1,
        "status one lower: success from 199 on, failure from 399 on": *status += 1,
    }
};

pub(super) const CHANGES: &[Operand] = operands! {
    HubEvent::CertificateWritten { change, .. } => {
        "an unchanged certificate is an addition": *change = Some(CertificateChange::Added),
        "a replaced certificate is no addition": unchanged(change, CertificateChange::Replaced),
        "a new certificate is no addition": unchanged(change, CertificateChange::Added),
    }
};

pub(super) const DELETED: &[Operand] = operands! {
    HubEvent::CertificateDeleted { status, .. } => {
        "every status is a success": *status = 200,
        "every status is a failure": *status = 400,
        "status one higher: success from 201 on, failure from 401 on": *status -= 1,
        "status one lower: success from 199 on, failure from 399 on": *status += 1,
    }
};

pub(super) const EXISTED: &[Operand] = operands! {
    HubEvent::CertificateDeleted { existed, .. } => {
        "a certificate that was not there is deleted": *existed = true,
        "only what was not there is deleted": *existed = !*existed,
    }
};

pub(super) const CATEGORIES: &[Operand] = operands! {
    HubEvent::DiagnosticSettingWritten { status, enabled_categories, .. } => {
        "every status is a success": *status = 200,
        "every status is a failure": *status = 400,
        "one enabled category is none": drop(enabled_categories.pop()),
        "no enabled category is one": enabled_categories.push("any".to_owned()),
    }
};

pub(super) const SETTING_DELETED: &[Operand] = operands! {
    HubEvent::DiagnosticSettingDeleted { status, .. } => {
        "every status of a deletion is a success": *status = 200,
        "every status of a deletion is a failure": *status = 400,
    }
};

pub(super) const DEFAULT_ACTION: &[Operand] = operands! {
    HubEvent::NetworkRulesChanged(rules) => {
        "any default action taken for deny": rules.default_action = FilterAction::Deny,
        "any default action taken for allow": rules.default_action = FilterAction::Allow,
        "a stated default action does not matter": rules.stated = false,
    }
};

fn unchanged(change: &mut Option<CertificateChange>, from: CertificateChange) {
    if *change == Some(from) {
        *change = Some(CertificateChange::Unchanged);
    }
}
