//! Cloud-to-device messages as a device meets them: handed out, handed out again, settled, or gone before it
//! was done with them. What the service does with them is `messages`.

use hilarm_model::{DeadLetter, DeviceId, HubEvent, Now, Protocol};
use rand::Rng;

use super::cloud_to_device::{CloudToDeviceMessage, DeliveryLock, Entry, Held, LockToken, Relock};
use super::messages::{ReceivedMessage, Redelivery};
use super::registry::ClientIdentity;
use super::{Core, CoreTimer, Notice};
use crate::config::Telling;
use crate::service::{FeedbackOutcome, HubError, Settlement};

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

    /// A lock on what the hub tells the service.
    pub(super) fn hold_for_service(&mut self, limits: Telling, now: Now) -> Held {
        let lock = DeliveryLock(self.random.random());
        Held { lock, until: now.mono + limits.lock, over: Protocol::Https }
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
    pub(super) fn dead_letter(&mut self, device: &DeviceId, entry: Entry, outcome: DeadLetter, now: Now) {
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
