//! What a connection attempt says to the detections about credentials.
//!
//! The hub judged the credentials and recorded every independent cause; here a detection only picks its own
//! cause. Attempts on ids that are not in the identity registry are no device's, and say nothing.

use hilarm_model::{ConnectionRefused, DeviceId, HubEvent, RefusalCause, UsedAuthentication};

use crate::alert::Facts;
use crate::judgement::Judgement;
use crate::kind::EventKind;
use crate::roster::RegisteredKind;

/// The kinds of event that carry the outcome of an authentication.
pub(crate) const OUTCOMES: &[EventKind] = &[EventKind::ConnectionAccepted, EventKind::ConnectionRefused];

/// How one outcome bears on one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearing {
    /// The check was not reached.
    None,
    /// The check was reached and passed.
    Passed,
    /// The check failed.
    Failed,
}

/// One check of credentials, as a detection sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    /// Whether this accepted credential of a device registered like this went through the check.
    pub(crate) accepted: fn(&UsedAuthentication, Option<RegisteredKind>) -> bool,
    /// How a cause of a refusal bears on it.
    pub(crate) refused: fn(&RefusalCause, Option<RegisteredKind>) -> Bearing,
    /// Evidence out of the cause that failed it.
    pub(crate) evidence: fn(&RefusalCause, &mut Facts),
}

impl Check {
    /// Considers the outcome of an authentication and raises an alert when this check failed.
    pub(crate) fn judge(&self, event: &HubEvent, judgement: &mut Judgement<'_>) {
        match event {
            HubEvent::ConnectionAccepted { device, authentication, .. }
                if (self.accepted)(authentication, judgement.registered(device)) =>
            {
                judgement.consider();
            }
            HubEvent::ConnectionRefused(refused) => {
                if let Some(device) = refused.device.as_ref().filter(|_| refused.registered) {
                    self.judge_refusal(device, refused, judgement);
                }
            }
            _ => (),
        }
    }

    fn judge_refusal(&self, device: &DeviceId, refused: &ConnectionRefused, judgement: &mut Judgement<'_>) {
        let registered = judgement.registered(device);
        let bearing = |cause: &&RefusalCause| (self.refused)(cause, registered);
        if refused.causes.iter().any(|cause| bearing(&cause) != Bearing::None) {
            judgement.consider();
        }
        if let Some(cause) = refused.causes.iter().find(|cause| bearing(cause) == Bearing::Failed) {
            judgement.raise(device, None, |facts| {
                facts.insert("RemoteAddress", refused.peer.ip().to_canonical().to_string());
                facts.insert("RemotePort", refused.peer.port().to_string());
                (self.evidence)(cause, facts);
            });
        }
    }
}
