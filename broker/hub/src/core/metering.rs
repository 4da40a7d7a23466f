//! What the hub takes of what it is asked: throttles (429001), and the messages of a day (403002), both off by
//! default. Which operation is metered as what, by IoT Hub's billing table: messages, methods, twins and the two
//! ends of a file upload in pieces of 4 KiB, and only if they succeed, but for methods that find their device
//! offline, which Microsoft charges too; the identity registry and the management plane not at all.
//!
//! IoT Hub's count lags behind, this one is exact: what would cost more than the day has left is refused whole. Only
//! the answer to a method and the end of an upload, which were let through when they began, are counted without being
//! asked for.

use hilarm_model::{Now, Protocol, Timestamp};

use super::Core;
use super::registry::ClientIdentity;
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
    fn is_metering(&self) -> bool {
        self.config.throttling.is_some() || self.config.daily_messages_max.is_some()
    }

    /// Whether the hub takes one more operation of a kind: neither is the quota of the day too small for what it
    /// costs, nor its throttle used up.
    pub(crate) fn admit(&mut self, kind: Throttled, bytes: usize, now: Now) -> Result<(), HubError> {
        self.admit_batch(kind, [bytes], now)
    }

    /// The same of a batch: one operation, each of whose messages costs what it costs alone. The quota is judged
    /// first, for judging the throttle uses it up.
    pub(crate) fn admit_batch(
        &mut self,
        kind: Throttled,
        lengths: impl IntoIterator<Item = usize>,
        now: Now,
    ) -> Result<(), HubError> {
        let add = |(bytes, cost), length| (bytes + length, cost + messages_in(length));
        let (bytes, cost) = lengths.into_iter().fold((0, 0), add);
        self.within_quota(kind, cost, now)?;
        match self.config.throttling {
            Some(limits) if !self.metering.throttles.admit(limits, kind, bytes, now.mono) => {
                Err(HubError::Throttled(kind.name()))
            }
            _ => Ok(()),
        }
    }

    fn within_quota(&mut self, kind: Throttled, cost: u64, now: Now) -> Result<(), HubError> {
        let Some(messages_max) = self.config.daily_messages_max else { return Ok(()) };
        let messages = *self.metering.messages_of(now.unix);
        let unmetered = matches!(kind, Throttled::Registry | Throttled::Connection);
        if unmetered || messages.saturating_add(cost) <= messages_max {
            Ok(())
        } else {
            Err(HubError::QuotaExceeded { messages_max, messages })
        }
    }

    /// Counts what was taken against the quota of the day.
    pub(crate) fn charge(&mut self, bytes: usize, now: Now) {
        if self.config.daily_messages_max.is_some() {
            *self.metering.messages_of(now.unix) += messages_in(bytes);
        }
    }

    /// The length of a twin as its device would read it; 0 where nobody counts it.
    pub(crate) fn metered_twin_bytes(&self, identity: &ClientIdentity) -> usize {
        let counted = self.config.daily_messages_max.and_then(|_| self.twins.get(identity));
        counted.map_or(0, |twin| twin.for_device().to_string().len())
    }

    /// The throttle of a request of the service side, and the length that it counts with: of its payload, or of the
    /// twin that it reads.
    pub(super) fn metered(&mut self, request: &ServiceRequest) -> Option<(Throttled, usize)> {
        if !self.is_metering() {
            return None;
        }
        let (kind, bytes) = metered(request)?;
        let ServiceRequest::GetTwin { device, module } = request else { return Some((kind, bytes)) };
        match self.twin(device.clone(), module.clone()) {
            Ok(ServiceReply::Twin(twin)) => Some((kind, twin.to_string().len())),
            _ => Some((kind, bytes)),
        }
    }
}

/// How many messages of the quota a payload is; an empty one is a message too.
fn messages_in(bytes: usize) -> u64 {
    bytes.div_ceil(MESSAGE_BYTES).max(1) as u64
}

/// The throttle of a request, and the length of its payload.
fn metered(request: &ServiceRequest) -> Option<(Throttled, usize)> {
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
        R::ReceiveCloudToDevice { protocol: Protocol::Https, .. } => (Throttled::CloudToDeviceReceive, 0),
        R::BeginFileUpload { .. } => (Throttled::FileUpload, 0),
        R::InvokeMethod { payload, .. } => (Throttled::Method, text(payload)),
        _ => return None,
    })
}

/// Whether a request counts against the quota of the day, now that it is known what came of it. Receives were counted
/// when they were sent, and file uploads count themselves.
pub(super) fn counts(request: Throttled, outcome: &Result<ServiceReply, HubError>) -> bool {
    use Throttled as T;
    match outcome {
        Ok(_) => matches!(request, T::Method | T::CloudToDeviceSend | T::TwinUpdate | T::TwinRead),
        Err(refusal) => matches!(refusal, HubError::DeviceNotOnline(_)),
    }
}
