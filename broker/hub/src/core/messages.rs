//! Cloud-to-device messages between service and device: enqueueing, handing out, settling, expiry, purge,
//! and the feedback that the sender asked for. The queue itself is `cloud_to_device`.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeadLetter, DeviceId, HubEvent, Now, Protocol};
use rand::Rng;

use super::cloud_to_device::{
    Acknowledgement, CloudToDeviceMessage, DeliveryLock, Entry, Held, InvalidAcknowledgement, LockToken,
    Relock,
};
use super::registry::ClientIdentity;
use super::{Core, CoreTimer, Notice};
use crate::service::{Feedback, FeedbackOutcome, HubError, ReceivedCloudToDevice, ServiceReply, Settlement};

/// IoT Hub's bounds of a cloud-to-device message's lifetime: 1 minute to 2 days.
const TTL_MIN: Duration = Duration::from_secs(60);
const TTL_MAX: Duration = Duration::from_secs(2 * 86_400);

/// Properties travel in an MQTT topic, percent-encoded, so they must stay well below 64 KiB.
const PROPERTIES_BYTES_MAX: usize = 16 * 1024;
const MESSAGE_ID_BYTES_MAX: usize = 128;

/// The property with which a sender asks for feedback.
const ACKNOWLEDGEMENT: &str = "iothub-ack";

/// Feedback that nobody takes is dropped after an hour, IoT Hub's default.
const FEEDBACK_TTL: Duration = Duration::from_secs(3600);

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

/// The service's half.
impl Core {
    pub(super) fn enqueue(
        &mut self,
        device: DeviceId,
        message_id: String,
        payload: Vec<u8>,
        mut properties: BTreeMap<String, String>,
        ttl: Option<Duration>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let ttl = ttl.unwrap_or(self.config.cloud_to_device_ttl);
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
            return Err(HubError::ArgumentInvalid("ttl lies outside 1 minute to 2 days".into()));
        }
        let acknowledgement =
            properties.remove(ACKNOWLEDGEMENT).map_or(Ok(Acknowledgement::None), |text| text.parse())?;
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

    pub(super) fn take_feedback(&mut self, now: Now) -> ServiceReply {
        self.drop_old_feedback(now);
        ServiceReply::Feedback(self.feedback.drain(..).collect())
    }

    fn drop_old_feedback(&mut self, now: Now) {
        while self.feedback.front().is_some_and(|oldest| oldest.at + FEEDBACK_TTL < now.unix) {
            self.feedback.pop_front();
        }
    }

    /// Keeps the outcome, if the sender wants to hear of it.
    fn feed_back(
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
            self.drop_old_feedback(now);
            let (device, message_id) = (device.clone(), message.message_id.clone());
            self.feedback.push_back(Feedback { device, message_id, outcome, at: now.unix });
        }
    }
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

/// The device's half.
impl Core {
    /// Hands the next waiting message to the device and locks it.
    pub(crate) fn deliver_next(
        &mut self,
        identity: &ClientIdentity,
        protocol: Protocol,
        now: Now,
    ) -> Option<(LockToken, CloudToDeviceMessage)> {
        let received = self.receive_cloud_to_device(&identity.device, protocol, now)?;
        Some((LockToken(received.sequence_number), received.message))
    }

    /// Hands the next waiting message to a client that settles it by its lock, within the lock's time.
    pub(crate) fn receive_cloud_to_device(
        &mut self,
        device: &DeviceId,
        protocol: Protocol,
        now: Now,
    ) -> Option<ReceivedMessage> {
        if self.queues.get(device).is_none_or(|queue| queue.len() == 0) {
            return None;
        }
        let held = self.hold(protocol, now);
        let entry = self.queues.get_mut(device)?.lock_next(held)?;
        let received = ReceivedMessage {
            lock: held.lock,
            sequence_number: entry.token.0,
            delivery_count: entry.abandoned,
            message: entry.message.clone(),
        };
        self.delivered(device, LockToken(received.sequence_number), &received.message, held, now);
        Some(received)
    }

    /// Locks a message that was delivered before and not completed, to hand it over again.
    pub(crate) fn deliver_again(
        &mut self,
        identity: &ClientIdentity,
        token: LockToken,
        protocol: Protocol,
        now: Now,
    ) -> Redelivery {
        let held = self.hold(protocol, now);
        let Some(queue) = self.queues.get_mut(&identity.device) else { return Redelivery::Gone };
        let message = match queue.lock_again(token, held) {
            Relock::Gone => return Redelivery::Gone,
            Relock::Held => return Redelivery::Held,
            Relock::Locked(message) => message.clone(),
        };
        self.delivered(&identity.device, token, &message, held, now);
        Redelivery::Send(message)
    }

    fn hold(&mut self, over: Protocol, now: Now) -> Held {
        let lock = DeliveryLock(self.random.random());
        Held { lock, until: now.mono + self.config.lock_timeout, over }
    }

    fn delivered(
        &mut self,
        device: &DeviceId,
        token: LockToken,
        message: &CloudToDeviceMessage,
        held: Held,
        now: Now,
    ) {
        self.timers.set(held.until, CoreTimer::Lock(device.clone(), token));
        let (device, message_id) = (device.clone(), message.message_id.clone());
        self.record(HubEvent::CloudToDeviceDelivered { device, message_id, protocol: held.over }, now);
    }

    /// The device is done with a message; nothing happens when it expired or was purged meanwhile.
    pub(crate) fn complete(&mut self, identity: &ClientIdentity, token: LockToken, now: Now) {
        let entry = self.queues.get_mut(&identity.device).and_then(|queue| queue.take(token));
        if let Some(entry) = entry {
            self.completed(&identity.device, &entry, now);
        }
    }

    /// The holder of a lock settles its message.
    pub(crate) fn settle(
        &mut self,
        device: &DeviceId,
        lock: DeliveryLock,
        settlement: Settlement,
        now: Now,
    ) -> Result<(), HubError> {
        let lost = || HubError::DeviceMessageLockLost(device.clone());
        let queue = self.queues.get_mut(device).ok_or_else(lost)?;
        let token = queue.held_by(lock).ok_or_else(lost)?;
        if settlement == Settlement::Abandon {
            self.abandon(device, token, now);
            return Ok(());
        }
        let entry = queue.take(token).ok_or_else(lost)?;
        match settlement {
            Settlement::Reject => self.rejected(device, &entry, now),
            Settlement::Complete | Settlement::Abandon => self.completed(device, &entry, now),
        }
        Ok(())
    }

    fn completed(&mut self, device: &DeviceId, entry: &Entry, now: Now) {
        self.forget(device, entry);
        self.feed_back(device, &entry.message, FeedbackOutcome::Success, now);
        let message_id = entry.message.message_id.clone();
        self.record(HubEvent::CloudToDeviceCompleted { device: device.clone(), message_id }, now);
    }

    fn rejected(&mut self, device: &DeviceId, entry: &Entry, now: Now) {
        self.forget(device, entry);
        self.feed_back(device, &entry.message, FeedbackOutcome::Rejected, now);
        if let Some(protocol) = entry.delivered_over {
            let message_id = entry.message.message_id.clone();
            self.record(
                HubEvent::CloudToDeviceRejected { device: device.clone(), message_id, protocol },
                now,
            );
        }
    }

    fn abandon(&mut self, device: &DeviceId, token: LockToken, now: Now) {
        let Some(queue) = self.queues.get_mut(device) else { return };
        let Some(entry) = queue.find(token) else { return };
        let (held, over) = (entry.held, entry.delivered_over);
        let message_id = entry.message.message_id.clone();
        let times = queue.abandon(token).unwrap_or_default();
        if let Some(held) = held {
            self.timers.clear(held.until, CoreTimer::Lock(device.clone(), token));
        }
        if let Some(protocol) = over {
            self.record(
                HubEvent::CloudToDeviceAbandoned { device: device.clone(), message_id, protocol },
                now,
            );
        }
        if times >= self.config.delivery_count_max {
            let entry = self.queues.get_mut(device).and_then(|queue| queue.take(token));
            if let Some(entry) = entry {
                self.dead_letter(device, entry, DeadLetter::DeliveryCountExceeded, now);
            }
            return;
        }
        let identity = ClientIdentity { device: device.clone(), module: None };
        self.notify(&identity, Notice::CloudToDeviceWaiting { device: device.clone() });
    }

    /// The time to live of a message passed.
    pub(super) fn expire(&mut self, device: &DeviceId, token: LockToken, now: Now) {
        let entry = self.queues.get_mut(device).and_then(|queue| queue.expire(token, now.unix));
        if let Some(entry) = entry {
            self.dead_letter(device, entry, DeadLetter::Expired, now);
        }
    }

    /// Records that a message left its queue with nobody done with it.
    fn dead_letter(&mut self, device: &DeviceId, entry: Entry, outcome: DeadLetter, now: Now) {
        self.forget(device, &entry);
        let told = match outcome {
            DeadLetter::Expired => FeedbackOutcome::Expired,
            DeadLetter::DeliveryCountExceeded => FeedbackOutcome::DeliveryCountExceeded,
            DeadLetter::Purged => FeedbackOutcome::Purged,
        };
        self.feed_back(device, &entry.message, told, now);
        let (message_id, delivered_over) = (entry.message.message_id, entry.delivered_over);
        let device = device.clone();
        self.record(HubEvent::CloudToDeviceDeadLettered { device, message_id, outcome, delivered_over }, now);
    }

    /// Nothing is left to wait for.
    fn forget(&mut self, device: &DeviceId, entry: &Entry) {
        self.timers.clear_calendar(entry.message.expiry, CoreTimer::Expiry(device.clone(), entry.token));
        if let Some(held) = entry.held {
            self.timers.clear(held.until, CoreTimer::Lock(device.clone(), entry.token));
        }
    }
}
