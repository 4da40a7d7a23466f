//! Cloud-to-device messages as the service meets them: sent, purged, and the feedback that the sender asked
//! for. What a device does with them is `deliveries`, the queue itself `cloud_to_device`.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeadLetter, DeviceId, HubEvent, Now, Protocol};

use super::cloud_to_device::{
    Acknowledgement, CloudToDeviceMessage, DeliveryLock, Held, InvalidAcknowledgement,
};
use super::{Core, CoreTimer, Notice};
use crate::service::{
    Feedback, FeedbackOutcome, HubError, ReceivedCloudToDevice, ServiceReply, Settlement, Told,
};

/// IoT Hub's bounds of a cloud-to-device message's lifetime: 1 minute to 2 days.
const TTL_MIN: Duration = Duration::from_secs(60);
const TTL_MAX: Duration = Duration::from_secs(2 * 86_400);

/// Properties travel in an MQTT topic, percent-encoded, so they must stay well below 64 KiB.
const PROPERTIES_BYTES_MAX: usize = 16 * 1024;
const MESSAGE_ID_BYTES_MAX: usize = 128;

/// The property with which a sender asks for feedback; the device sees it too.
const ACKNOWLEDGEMENT: &str = "iothub-ack";

/// IoT Hub tells of so many messages at once.
const FEEDBACK_BATCH_MAX: usize = 64;

/// What became of a message that an adapter wants to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redelivery {
    /// Locked again: send it.
    Send(CloudToDeviceMessage),
    /// A delivery is still out.
    Held,
    /// Completed, purged or expired.
    Gone,
}

/// A message handed out to a client that settles it by its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedMessage {
    pub(crate) lock: DeliveryLock,
    pub(crate) sequence_number: u64,
    /// How often the device abandoned it before.
    pub(crate) delivery_count: u32,
    pub(crate) message: CloudToDeviceMessage,
}

impl From<InvalidAcknowledgement> for HubError {
    fn from(why: InvalidAcknowledgement) -> Self {
        Self::ArgumentInvalid(why.to_string())
    }
}

impl Core {
    pub(super) fn enqueue(
        &mut self,
        device: DeviceId,
        message_id: String,
        payload: Vec<u8>,
        properties: BTreeMap<String, String>,
        ttl: Option<Duration>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let ttl = ttl.unwrap_or(self.config.cloud_to_device_ttl);
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
            return Err(HubError::ArgumentInvalid("ttl lies outside 1 minute to 2 days".into()));
        }
        let acknowledgement = properties.get(ACKNOWLEDGEMENT).map(|text| text.parse()).transpose()?;
        let acknowledgement = acknowledgement.unwrap_or_default();
        self.check_size(&message_id, &payload, &properties)?;
        let device = identity.device.clone();
        let queue = self.queues.entry(device.clone()).or_default();
        if queue.len() >= self.config.queue_depth_max {
            return Err(HubError::DeviceMaximumQueueDepthExceeded(device));
        }
        let (enqueued, expiry) = (now.unix, now.unix + ttl);
        let message = CloudToDeviceMessage {
            message_id: message_id.clone(),
            payload,
            properties,
            enqueued,
            expiry,
            acknowledgement,
        };
        let token = queue.enqueue(message);
        self.timers.set_calendar(expiry, CoreTimer::Expiry(device.clone(), token));
        let protocol = self.last_protocols.get(&device).copied();
        self.record(HubEvent::CloudToDeviceEnqueued { device: device.clone(), message_id, protocol }, now);
        self.notify(&identity, Notice::CloudToDeviceWaiting { device });
        Ok(ServiceReply::Done)
    }

    fn check_size(
        &self,
        message_id: &str,
        payload: &[u8],
        properties: &BTreeMap<String, String>,
    ) -> Result<(), HubError> {
        let bytes_max = self.config.cloud_to_device_bytes_max;
        let text = properties.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if message_id.len() > MESSAGE_ID_BYTES_MAX || text > PROPERTIES_BYTES_MAX {
            return Err(HubError::ArgumentInvalid("message id or properties are too long".into()));
        }
        if payload.len() + text > bytes_max {
            return Err(HubError::MessageTooLarge { bytes_max });
        }
        Ok(())
    }

    pub(super) fn purge(&mut self, device: DeviceId, now: Now) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let device = identity.device;
        let dropped = self.queues.get_mut(&device).map(|queue| queue.purge()).unwrap_or_default();
        let messages = dropped.len();
        self.record(HubEvent::QueuePurged { device: device.clone(), messages: messages as u64 }, now);
        dropped.into_iter().for_each(|entry| self.dead_letter(&device, entry, DeadLetter::Purged, now));
        Ok(ServiceReply::Purged { messages })
    }

    pub(super) fn receive_feedback(&mut self, now: Now) -> ServiceReply {
        let limits = self.config.feedback;
        let held = self.hold_for_service(limits, now);
        let items = self.feedback.receive(FEEDBACK_BATCH_MAX, held, limits, now);
        ServiceReply::Feedback(told(held, items))
    }

    /// Keeps the outcome, if the sender wants to hear of it.
    pub(super) fn feed_back(
        &mut self,
        device: &DeviceId,
        message: &CloudToDeviceMessage,
        outcome: FeedbackOutcome,
        now: Now,
    ) {
        let wanted = match message.acknowledgement {
            Acknowledgement::None => false,
            Acknowledgement::Positive => outcome == FeedbackOutcome::Success,
            Acknowledgement::Negative => outcome != FeedbackOutcome::Success,
            Acknowledgement::Full => true,
        };
        if wanted {
            let (device, message_id) = (device.clone(), message.message_id.clone());
            let feedback = Feedback { device, message_id, outcome, at: now.unix };
            self.feedback.put(feedback, self.config.feedback, now);
        }
    }
}

/// What an inbox handed out, if it was anything.
pub(super) fn told<T>(held: Held, items: Vec<T>) -> Option<Told<T>> {
    (!items.is_empty()).then(|| Told { lock: held.lock.to_string(), items })
}

/// Callers with the right to act as a device.
impl Core {
    pub(super) fn receive_for(
        &mut self,
        device: DeviceId,
        protocol: Protocol,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        self.uses(&identity.device, protocol);
        let received = self.receive_cloud_to_device(&identity.device, protocol, now);
        Ok(ServiceReply::Received(received.map(|received| ReceivedCloudToDevice {
            lock: received.lock.to_string(),
            sequence_number: received.sequence_number,
            delivery_count: received.delivery_count,
            message_id: received.message.message_id,
            payload: received.message.payload,
            properties: received.message.properties,
        })))
    }

    pub(super) fn settle_for(
        &mut self,
        device: DeviceId,
        lock: &str,
        settlement: Settlement,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let lost = |_| HubError::DeviceMessageLockLost(identity.device.clone());
        self.settle(&identity.device, lock.parse().map_err(lost)?, settlement, now)?;
        Ok(ServiceReply::Done)
    }
}
