//! The cloud-to-device queue of one device: enqueued, locked while a delivery is out, then completed,
//! rejected, abandoned back into the queue, expired or purged. Delivery is at least once, and only an
//! explicit abandon counts as a delivery that failed.
//!
//! A message has a sequence number ([`LockToken`]), which MQTT sessions remember, and while it is out a
//! fresh [`DeliveryLock`], which HTTPS and AMQP clients show when they settle it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

use hilarm_model::{Monotonic, Protocol, Timestamp};

/// Names a message within its device's queue: its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LockToken(pub(crate) u64);

/// Names one delivery of a message; written as a GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryLock(pub(crate) u128);

impl fmt::Display for DeliveryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
        f.write_str(&groups.join("-"))
    }
}

/// The text is no lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidLock;

impl FromStr for DeliveryLock {
    type Err = InvalidLock;
    fn from_str(text: &str) -> Result<Self, InvalidLock> {
        let groups: Vec<&str> = text.split('-').collect();
        let lengths = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
        let digits = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !lengths || !digits {
            return Err(InvalidLock);
        }
        u128::from_str_radix(&groups.concat(), 16).map(Self).map_err(|_| InvalidLock)
    }
}

/// Which outcomes the sender wants to hear of (`iothub-ack`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    #[default]
    None,
    Positive,
    Negative,
    Full,
}

impl FromStr for Acknowledgement {
    type Err = InvalidAcknowledgement;
    fn from_str(text: &str) -> Result<Self, InvalidAcknowledgement> {
        match text {
            "none" => Ok(Self::None),
            "positive" => Ok(Self::Positive),
            "negative" => Ok(Self::Negative),
            "full" => Ok(Self::Full),
            _ => Err(InvalidAcknowledgement),
        }
    }
}

/// The text is none of `none`, `positive`, `negative`, `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("iothub-ack is none of none, positive, negative, full")]
pub(crate) struct InvalidAcknowledgement;

/// A message from the service to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudToDeviceMessage {
    pub(crate) message_id: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) properties: BTreeMap<String, String>,
    /// When it was accepted.
    pub(crate) enqueued: Timestamp,
    /// When it is dropped undelivered.
    pub(crate) expiry: Timestamp,
    pub(crate) acknowledgement: Acknowledgement,
}

/// A message in its queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) token: LockToken,
    pub(crate) message: CloudToDeviceMessage,
    /// The delivery that is out.
    pub(crate) held: Option<Held>,
    /// How often it was abandoned.
    pub(crate) abandoned: u32,
    /// The protocol over which it was handed out last.
    pub(crate) delivered_over: Option<Protocol>,
}

/// A delivery that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) lock: DeliveryLock,
    pub(crate) until: Monotonic,
    pub(crate) over: Protocol,
}

/// The queue of one device.
#[derive(Debug, Default)]
pub(crate) struct CloudToDeviceQueue {
    entries: VecDeque<Entry>,
    next: u64,
}

impl CloudToDeviceQueue {
    /// Messages waiting or locked.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn enqueue(&mut self, message: CloudToDeviceMessage) -> LockToken {
        self.next += 1;
        let token = LockToken(self.next);
        self.entries.push_back(Entry { token, message, held: None, abandoned: 0, delivered_over: None });
        token
    }

    /// Locks the oldest message that no delivery holds.
    pub(crate) fn lock_next(&mut self, held: Held) -> Option<&Entry> {
        let entry = self.entries.iter_mut().find(|entry| entry.held.is_none())?;
        entry.hold(held);
        Some(entry)
    }

    /// Locks a certain message again, if it still exists and no delivery holds it.
    pub(crate) fn lock_again(&mut self, token: LockToken, held: Held) -> Relock<'_> {
        match self.find(token) {
            None => Relock::Gone,
            Some(entry) if entry.held.is_some() => Relock::Held,
            Some(entry) => {
                entry.hold(held);
                Relock::Locked(&entry.message)
            }
        }
    }

    /// Takes a message out, whoever holds it; it is gone if it expired meanwhile.
    pub(crate) fn take(&mut self, token: LockToken) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.token == token)?;
        self.entries.remove(index)
    }

    /// The message that a delivery holds.
    pub(crate) fn held_by(&self, lock: DeliveryLock) -> Option<LockToken> {
        let holds = |entry: &&Entry| entry.held.is_some_and(|held| held.lock == lock);
        self.entries.iter().find(holds).map(|entry| entry.token)
    }

    /// The device gave a message back; says how often it has done so.
    pub(crate) fn abandon(&mut self, token: LockToken) -> Option<u32> {
        let entry = self.find(token)?;
        entry.held = None;
        entry.abandoned = entry.abandoned.saturating_add(1);
        Some(entry.abandoned)
    }

    /// The lock of one message ran out; true if it is free now.
    pub(crate) fn unlock_due(&mut self, token: LockToken, now: Monotonic) -> bool {
        match self.find(token) {
            Some(entry) if entry.held.is_some_and(|held| held.until <= now) => {
                entry.held = None;
                true
            }
            _ => false,
        }
    }

    /// The device went away: every delivery that was out over its connection is free again.
    pub(crate) fn unlock_all(&mut self, over: Protocol) {
        let free = self.entries.iter_mut().filter(|entry| entry.held.is_some_and(|held| held.over == over));
        free.for_each(|entry| entry.held = None);
    }

    /// Takes one message out if its time is over.
    pub(crate) fn expire(&mut self, token: LockToken, now: Timestamp) -> Option<Entry> {
        let over = self.find(token).is_some_and(|entry| entry.message.expiry <= now);
        if over { self.take(token) } else { None }
    }

    /// Takes everything out.
    pub(crate) fn purge(&mut self) -> VecDeque<Entry> {
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn find(&mut self, token: LockToken) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.token == token)
    }
}

impl Entry {
    fn hold(&mut self, held: Held) {
        self.held = Some(held);
        self.delivered_over = Some(held.over);
    }
}

/// What became of locking a certain message again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relock<'a> {
    /// It is locked and may be sent again.
    Locked(&'a CloudToDeviceMessage),
    /// A delivery is still out.
    Held,
    /// It was completed, purged or expired.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(lock: u128) -> Held {
        Held { lock: DeliveryLock(lock), until: Monotonic::from_micros(60), over: Protocol::Mqtt }
    }

    fn message(id: &str) -> CloudToDeviceMessage {
        CloudToDeviceMessage {
            message_id: id.into(),
            payload: Vec::new(),
            properties: BTreeMap::new(),
            enqueued: Timestamp::from_secs(0),
            expiry: Timestamp::from_secs(100),
            acknowledgement: Acknowledgement::None,
        }
    }

    fn next_id(queue: &mut CloudToDeviceQueue) -> Option<String> {
        queue.lock_next(held(1)).map(|entry| entry.message.message_id.clone())
    }

    #[test]
    fn messages_are_handed_out_in_order_and_once_while_locked() {
        let mut queue = CloudToDeviceQueue::default();
        queue.enqueue(message("a"));
        queue.enqueue(message("b"));
        assert_eq!(next_id(&mut queue).as_deref(), Some("a"));
        assert_eq!(next_id(&mut queue).as_deref(), Some("b"));
        assert_eq!(next_id(&mut queue), None);
        assert_eq!(queue.len(), 2, "locked messages still count");
    }

    #[test]
    fn a_lock_that_runs_out_frees_its_message() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        next_id(&mut queue);
        assert!(!queue.unlock_due(token, Monotonic::from_micros(59)));
        assert_eq!(queue.lock_again(token, held(2)), Relock::Held);
        assert!(queue.unlock_due(token, Monotonic::from_micros(60)));
        assert_eq!(queue.held_by(DeliveryLock(1)), None);
        assert_eq!(queue.lock_again(token, held(2)), Relock::Locked(&message("a")));
        assert_eq!(queue.held_by(DeliveryLock(2)), Some(token));
    }

    #[test]
    fn a_message_is_taken_once() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        assert!(queue.take(token).is_some());
        assert!(queue.take(token).is_none());
        assert_eq!(queue.lock_again(token, held(1)), Relock::Gone);
    }

    #[test]
    fn an_abandoned_message_is_free_at_once_and_keeps_its_place() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        queue.enqueue(message("b"));
        next_id(&mut queue);
        assert_eq!(queue.abandon(token), Some(1));
        assert_eq!(next_id(&mut queue).as_deref(), Some("a"));
        assert_eq!(queue.abandon(token), Some(2));
    }

    #[test]
    fn the_end_of_a_connection_frees_only_what_went_over_its_protocol() {
        let mut queue = CloudToDeviceQueue::default();
        queue.enqueue(message("a"));
        next_id(&mut queue);
        queue.unlock_all(Protocol::Https);
        assert_eq!(next_id(&mut queue), None);
        queue.unlock_all(Protocol::Mqtt);
        assert_eq!(next_id(&mut queue).as_deref(), Some("a"));
    }

    #[test]
    fn a_message_expires_at_its_expiry_and_not_before_even_while_locked() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        next_id(&mut queue);
        assert!(queue.expire(token, Timestamp::from_secs(99)).is_none());
        let expired = queue.expire(token, Timestamp::from_secs(100)).unwrap();
        assert_eq!(expired.delivered_over, Some(Protocol::Mqtt));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_lock_is_written_as_a_guid_and_read_back() {
        let lock = DeliveryLock(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(lock.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(lock.to_string().parse(), Ok(lock));
        for bad in ["", "0", "01234567-89ab-cdef-0123-456789abcdeg", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(bad.parse::<DeliveryLock>(), Err(InvalidLock), "{bad}");
        }
    }
}
