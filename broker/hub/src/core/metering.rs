//! What the hub takes of what it is asked: throttles (429001), and the messages of a day (403002), both off by
//! default. Which operation is metered as what, by IoT Hub's billing table: messages, methods, twins and the two
//! ends of a file upload in pieces of 4 KiB, and only if they succeed; the identity registry and the management
//! plane not at all. IoT Hub's count lags behind, this one is exact.

use hilarm_model::{Now, Timestamp};

use super::Core;
use super::throttle::{Throttled, Throttles};
use crate::service::{HubError, ServiceReply, ServiceRequest};

/// One message of the daily quota.
const MESSAGE_BYTES: usize = 4 * 1024;
const DAY_S: i64 = 86_400;

/// What has been taken so far.
#[derive(Debug, Default)]
pub(super) struct Metering {
    throttles: Throttles,
    /// The day since the epoch that `messages` counts.
    day: i64,
    messages: u64,
}

impl Metering {
    fn messages_of(&mut self, now: Timestamp) -> &mut u64 {
        let day = now.as_secs().div_euclid(DAY_S);
        if self.day != day {
            (self.day, self.messages) = (day, 0);
        }
        &mut self.messages
    }
}

impl Core {
    /// Whether any limit is on.
    pub(super) fn is_metering(&self) -> bool {
        self.config.throttling.is_some() || self.config.daily_messages_max.is_some()
    }

    /// Whether the hub takes one more operation of a kind: neither the quota of the day nor its throttle is used up.
    /// The quota is judged first, for judging the throttle uses it up.
    pub(crate) fn admit(&mut self, kind: Throttled, bytes: usize, now: Now) -> Result<(), HubError> {
        self.within_quota(kind, now)?;
        match self.config.throttling {
            Some(limits) if !self.metering.throttles.admit(limits, kind, bytes, now.mono) => {
                Err(HubError::Throttled(kind.name()))
            }
            _ => Ok(()),
        }
    }

    fn within_quota(&mut self, kind: Throttled, now: Now) -> Result<(), HubError> {
        let Some(messages_max) = self.config.daily_messages_max else { return Ok(()) };
        let messages = *self.metering.messages_of(now.unix);
        if matches!(kind, Throttled::Registry | Throttled::Connection) || messages < messages_max {
            Ok(())
        } else {
            Err(HubError::QuotaExceeded { messages_max, messages })
        }
    }

    /// Counts what was taken against the quota of the day.
    pub(crate) fn charge(&mut self, bytes: usize, now: Now) {
        if self.config.daily_messages_max.is_some() {
            *self.metering.messages_of(now.unix) += bytes.div_ceil(MESSAGE_BYTES).max(1) as u64;
        }
    }
}

/// The throttle of a request of the service side, and the length of its payload.
pub(super) fn metered(request: &ServiceRequest) -> Option<(Throttled, usize)> {
    use ServiceRequest as R;
    let text = |value: &serde_json::Value| value.to_string().len();
    Some(match request {
        R::CreateDevice { .. }
        | R::UpdateDevice { .. }
        | R::CreateModule { .. }
        | R::DeleteModule { .. }
        | R::RegenerateKey { .. }
        | R::DeleteDevice { .. }
        | R::SetDeviceEnabled { .. }
        | R::GetDevice { .. } => (Throttled::Registry, 0),
        R::GetTwin { .. } => (Throttled::TwinRead, 0),
        R::PatchDesired { patch, .. } | R::PatchTags { patch, .. } => (Throttled::TwinUpdate, text(patch)),
        R::ReplaceDesired { properties, .. } => (Throttled::TwinUpdate, text(properties)),
        R::ReplaceTags { tags, .. } => (Throttled::TwinUpdate, text(tags)),
        R::WriteTwinJson { json, .. } => (Throttled::TwinUpdate, text(json)),
        R::SendCloudToDevice { payload, .. } => (Throttled::CloudToDeviceSend, payload.len()),
        R::ReceiveCloudToDevice { .. } => (Throttled::CloudToDeviceReceive, 0),
        R::BeginFileUpload { .. } => (Throttled::FileUpload, 0),
        R::InvokeMethod { payload, .. } => (Throttled::Method, text(payload)),
        _ => return None,
    })
}

/// What a request that was served counts against the quota of the day. Receives were counted when they were sent, and
/// file uploads count themselves.
pub(super) fn charged(request: Throttled, bytes: usize, reply: &ServiceReply) -> Option<usize> {
    match (request, reply) {
        (Throttled::Method | Throttled::CloudToDeviceSend | Throttled::TwinUpdate, _) => Some(bytes),
        (Throttled::TwinRead, ServiceReply::Twin(twin)) => Some(twin.to_string().len()),
        _ => None,
    }
}
