//! The cloud-to-device queue of one device: enqueued, locked while a delivery is out, completed or
//! expired. Delivery is at least once; only the calendar ends a message that nobody completes.

use std::collections::{BTreeMap, VecDeque};

use hilarm_model::{Monotonic, Timestamp};

/// Names a message within its device's queue: its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LockToken(pub(crate) u64);

/// A message from the service to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudToDeviceMessage {
    pub(crate) message_id: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) properties: BTreeMap<String, String>,
    /// When it is dropped undelivered.
    pub(crate) expiry: Timestamp,
}

#[derive(Debug)]
struct Entry {
    token: LockToken,
    message: CloudToDeviceMessage,
    /// Until when a delivery holds it.
    locked_until: Option<Monotonic>,
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
        self.entries.push_back(Entry { token, message, locked_until: None });
        token
    }

    /// Locks the oldest message that no delivery holds.
    pub(crate) fn lock_next(&mut self, until: Monotonic) -> Option<(LockToken, &CloudToDeviceMessage)> {
        let entry = self.entries.iter_mut().find(|entry| entry.locked_until.is_none())?;
        entry.locked_until = Some(until);
        Some((entry.token, &entry.message))
    }

    /// Locks a certain message again, if it still exists and no delivery holds it.
    pub(crate) fn lock_again(&mut self, token: LockToken, until: Monotonic) -> Relock<'_> {
        match self.find(token) {
            None => Relock::Gone,
            Some(entry) if entry.locked_until.is_some() => Relock::Held,
            Some(entry) => {
                entry.locked_until = Some(until);
                Relock::Locked(&entry.message)
            }
        }
    }

    /// The device is done with a message; it is gone if it expired meanwhile.
    pub(crate) fn complete(&mut self, token: LockToken) -> Option<CloudToDeviceMessage> {
        let index = self.entries.iter().position(|entry| entry.token == token)?;
        self.entries.remove(index).map(|entry| entry.message)
    }

    /// The lock of one message ran out; true if it is free now.
    pub(crate) fn unlock_due(&mut self, token: LockToken, now: Monotonic) -> bool {
        match self.find(token) {
            Some(entry) if entry.locked_until.is_some_and(|until| until <= now) => {
                entry.locked_until = None;
                true
            }
            _ => false,
        }
    }

    /// The device went away: every delivery that was out is free again.
    pub(crate) fn unlock_all(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.locked_until = None);
    }

    /// Drops one message whose time is over.
    pub(crate) fn expire(&mut self, token: LockToken, now: Timestamp) {
        self.entries.retain(|entry| entry.token != token || entry.message.expiry > now);
    }

    /// Drops everything; says how many.
    pub(crate) fn purge(&mut self) -> usize {
        std::mem::take(&mut self.entries).len()
    }

    fn find(&mut self, token: LockToken) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.token == token)
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

    const UNTIL: Monotonic = Monotonic::from_micros(60);

    fn message(id: &str) -> CloudToDeviceMessage {
        CloudToDeviceMessage {
            message_id: id.into(),
            payload: Vec::new(),
            properties: BTreeMap::new(),
            expiry: Timestamp::from_secs(100),
        }
    }

    fn next_id(queue: &mut CloudToDeviceQueue) -> Option<String> {
        queue.lock_next(UNTIL).map(|(_, message)| message.message_id.clone())
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
        assert_eq!(queue.lock_again(token, UNTIL), Relock::Held);
        assert!(queue.unlock_due(token, UNTIL));
        assert_eq!(queue.lock_again(token, UNTIL), Relock::Locked(&message("a")));
    }

    #[test]
    fn completion_removes_and_a_second_completion_finds_nothing() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        assert_eq!(queue.complete(token), Some(message("a")));
        assert_eq!(queue.complete(token), None);
        assert_eq!(queue.lock_again(token, UNTIL), Relock::Gone);
    }

    #[test]
    fn a_message_expires_at_its_expiry_and_not_before_even_while_locked() {
        let mut queue = CloudToDeviceQueue::default();
        let token = queue.enqueue(message("a"));
        next_id(&mut queue);
        queue.expire(token, Timestamp::from_secs(99));
        assert_eq!(queue.len(), 1);
        queue.expire(token, Timestamp::from_secs(100));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_purge_counts_what_it_dropped() {
        let mut queue = CloudToDeviceQueue::default();
        queue.enqueue(message("a"));
        queue.enqueue(message("b"));
        assert_eq!((queue.purge(), queue.purge()), (2, 0));
    }
}
