//! What the hub tells the service of its own accord, feedback and completed uploads: kept for a time, locked for
//! whoever receives it, then completed, or given back and told again. An item given back too often, or kept too long,
//! is dropped without a word, as IoT Hub drops it.

use std::collections::VecDeque;

use hilarm_model::{Now, Timestamp};

use super::cloud_to_device::{DeliveryLock, Held};
use crate::config::Telling;
use crate::service::Settlement;

/// What nobody takes is bounded, whatever its time.
const ITEMS_MAX: usize = 1000;

/// Items in the order in which they came.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    items: VecDeque<Item<T>>,
}

#[derive(Debug)]
struct Item<T> {
    what: T,
    at: Timestamp,
    held: Option<Held>,
    abandoned: u32,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T: Clone> Inbox<T> {
    /// Keeps one more; the oldest goes when there are too many.
    pub(super) fn put(&mut self, what: T, limits: Telling, now: Now) {
        self.drop_old(limits, now);
        if self.items.len() >= ITEMS_MAX {
            self.items.pop_front();
        }
        self.items.push_back(Item { what, at: now.unix, held: None, abandoned: 0 });
    }

    /// The oldest that nobody holds, so many at most, locked together.
    pub(super) fn receive(&mut self, count_max: usize, held: Held, limits: Telling, now: Now) -> Vec<T> {
        self.drop_old(limits, now);
        let free = self.items.iter_mut().filter(|item| item.held.is_none_or(|held| held.until <= now.mono));
        let taken = free.take(count_max).map(|item| {
            item.held = Some(held);
            item.what.clone()
        });
        taken.collect()
    }

    /// Completes or gives back what a lock holds; false when it holds nothing, or not any more.
    pub(super) fn settle(
        &mut self,
        lock: DeliveryLock,
        settlement: Settlement,
        limits: Telling,
        now: Now,
    ) -> bool {
        let holds = |item: &Item<T>| item.held.is_some_and(|held| held.lock == lock && held.until > now.mono);
        let held = self.items.iter_mut().filter(|item| holds(item));
        let settled = held.map(|item| item.abandoned = item.abandoned.saturating_add(1)).count();
        self.items.retain_mut(|item| {
            if !holds(item) {
                return true;
            }
            item.held = None;
            settlement == Settlement::Abandon && item.abandoned < limits.delivery_count_max
        });
        settled > 0
    }

    fn drop_old(&mut self, limits: Telling, now: Now) {
        while self.items.front().is_some_and(|oldest| oldest.at + limits.ttl < now.unix) {
            self.items.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use hilarm_model::{Monotonic, Protocol};

    use super::*;

    const LIMITS: Telling = Telling { delivery_count_max: 2, ..Telling::DEFAULT };

    fn at(seconds: u64) -> Now {
        let unix = Timestamp::from_secs(i64::try_from(seconds).unwrap());
        Now { mono: Monotonic::from_micros(seconds * 1_000_000), unix }
    }

    fn inbox(items: u32) -> Inbox<u32> {
        let mut inbox = Inbox::default();
        (0..items).for_each(|item| inbox.put(item, LIMITS, at(0)));
        inbox
    }

    fn receive(inbox: &mut Inbox<u32>, count_max: usize, lock: u128, now: Now) -> Vec<u32> {
        let held = Held { lock: DeliveryLock(lock), until: now.mono + LIMITS.lock, over: Protocol::Https };
        inbox.receive(count_max, held, LIMITS, now)
    }

    fn settle(inbox: &mut Inbox<u32>, lock: u128, settlement: Settlement, now: Now) -> bool {
        inbox.settle(DeliveryLock(lock), settlement, LIMITS, now)
    }

    #[test]
    fn items_are_locked_together_and_completed_once() {
        let mut inbox = inbox(3);
        assert_eq!(receive(&mut inbox, 2, 1, at(0)), [0, 1]);
        assert_eq!(receive(&mut inbox, 2, 2, at(0)), [2]);
        assert!(settle(&mut inbox, 1, Settlement::Complete, at(1)));
        assert!(!settle(&mut inbox, 1, Settlement::Complete, at(1)), "it holds nothing any more");
        assert!(settle(&mut inbox, 2, Settlement::Complete, at(1)));
        assert!(receive(&mut inbox, 2, 3, at(1)).is_empty());
    }

    #[test]
    fn what_is_given_back_is_told_again_until_it_was_too_often() {
        let mut inbox = inbox(1);
        for lock in 1..=2 {
            assert_eq!(receive(&mut inbox, 1, lock, at(0)), [0]);
            assert!(settle(&mut inbox, lock, Settlement::Abandon, at(0)));
        }
        assert!(receive(&mut inbox, 1, 3, at(0)).is_empty());
    }

    #[test]
    fn a_lock_ends_at_its_time_and_its_item_is_told_again() {
        let mut inbox = inbox(1);
        receive(&mut inbox, 1, 1, at(0));
        assert!(receive(&mut inbox, 1, 2, at(59)).is_empty());
        assert_eq!(receive(&mut inbox, 1, 2, at(60)), [0]);
        assert!(!settle(&mut inbox, 1, Settlement::Complete, at(60)), "lost");
    }

    #[test]
    fn an_item_is_dropped_after_its_time_and_the_oldest_when_there_are_too_many() {
        let mut old = inbox(1);
        assert_eq!(receive(&mut old, 1, 1, at(3600)), [0]);
        let mut older = inbox(1);
        assert!(receive(&mut older, 1, 1, at(3601)).is_empty());
        let mut full = inbox(1001);
        assert_eq!(receive(&mut full, 2000, 1, at(0)).first(), Some(&1));
    }
}
