//! What the alerts on operations of the management plane share: one alert an operation, whose evidence is the
//! object, the caller and the answer. The keys are those that the seeds' text names.

use crate::alert::{Facts, Subject, shortened};
use crate::judgement::Judgement;

/// Whether an HTTP status says that the operation was done.
pub(crate) fn succeeded(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether an HTTP status says that it was refused or failed.
pub(crate) fn failed(status: u16) -> bool {
    status >= 400
}

/// Raises an alert about a certificate of the hub.
pub(crate) fn raise_on_certificate(judgement: &mut Judgement<'_>, name: &str, status: u16, caller: &str) {
    let name = shortened(name);
    judgement.raise_on_hub(Some(Subject::Certificate(name.clone())), |facts| {
        facts.insert("DescCertificateName", name);
        answer(facts, status, caller);
    });
}

/// Raises an alert about a diagnostic setting of the hub.
pub(crate) fn raise_on_diagnostic_setting(
    judgement: &mut Judgement<'_>,
    name: &str,
    status: u16,
    caller: &str,
) {
    let name = shortened(name);
    judgement.raise_on_hub(Some(Subject::DiagnosticSetting(name.clone())), |facts| {
        let attempt = if succeeded(status) { "successful" } else { "unsuccessful" };
        facts.insert("DescAttemptStatusMessage", attempt.to_owned());
        facts.insert("DescDiagnosticSettingName", name);
        answer(facts, status, caller);
    });
}

fn answer(facts: &mut Facts, status: u16, caller: &str) {
    facts.insert("Caller", shortened(caller));
    facts.insert("Status", status.to_string());
}
