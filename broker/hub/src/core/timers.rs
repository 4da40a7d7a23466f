//! Deadlines of both clocks, ordered, so that finding the earliest one never walks over all sessions.
//! Equal deadlines fall due in the order of their keys: nothing depends on insertion.

use std::collections::BTreeSet;

use hilarm_model::{Monotonic, Now, Timestamp};

/// A set of deadlines; a key may wait on both clocks at once.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    monotonic: BTreeSet<(Monotonic, K)>,
    calendar: BTreeSet<(Timestamp, K)>,
}

impl<K: Ord> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { monotonic: BTreeSet::new(), calendar: BTreeSet::new() }
    }

    pub(crate) fn set(&mut self, at: Monotonic, key: K) {
        self.monotonic.insert((at, key));
    }

    pub(crate) fn set_calendar(&mut self, at: Timestamp, key: K) {
        self.calendar.insert((at, key));
    }

    pub(crate) fn clear(&mut self, at: Monotonic, key: K) {
        self.monotonic.remove(&(at, key));
    }

    pub(crate) fn clear_calendar(&mut self, at: Timestamp, key: K) {
        self.calendar.remove(&(at, key));
    }

    /// Takes a deadline that has come: monotonic ones first, then calendar ones.
    pub(crate) fn pop_due(&mut self, now: Now) -> Option<K> {
        if self.monotonic.first().is_some_and(|(at, _)| *at <= now.mono) {
            return self.monotonic.pop_first().map(|(_, key)| key);
        }
        if self.calendar.first().is_some_and(|(at, _)| *at <= now.unix) {
            return self.calendar.pop_first().map(|(_, key)| key);
        }
        None
    }

    /// The earliest deadline; a calendar one is converted on the assumption that the calendar does not jump.
    pub(crate) fn next(&self, now: Now) -> Option<Monotonic> {
        let monotonic = self.monotonic.first().map(|(at, _)| *at);
        let calendar = self.calendar.first().map(|(at, _)| now.mono + at.since(now.unix));
        monotonic.into_iter().chain(calendar).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now(mono_s: u64, unix_s: i64) -> Now {
        Now { mono: Monotonic::from_micros(mono_s * 1_000_000), unix: Timestamp::from_secs(unix_s) }
    }

    #[test]
    fn the_earliest_of_both_clocks_is_next() {
        let mut timers = Timers::new();
        timers.set(now(9, 0).mono, "keep-alive");
        timers.set_calendar(Timestamp::from_secs(105), "token");
        assert_eq!(timers.next(now(1, 100)), Some(now(6, 0).mono));
        timers.clear_calendar(Timestamp::from_secs(105), "token");
        assert_eq!(timers.next(now(1, 100)), Some(now(9, 0).mono));
    }

    #[test]
    fn a_deadline_falls_due_at_its_instant_and_once() {
        let mut timers = Timers::new();
        timers.set(now(9, 0).mono, "keep-alive");
        let before = Now { mono: Monotonic::from_micros(8_999_999), unix: Timestamp::default() };
        assert_eq!(timers.pop_due(before), None);
        assert_eq!(timers.pop_due(now(9, 0)), Some("keep-alive"));
        assert_eq!(timers.pop_due(now(9, 0)), None);
    }

    #[test]
    fn a_calendar_that_jumped_past_a_deadline_makes_it_due_at_once() {
        let mut timers = Timers::new();
        timers.set_calendar(Timestamp::from_secs(100) + Duration::from_secs(60), "token");
        assert_eq!(timers.next(now(5, 4_000)), Some(now(5, 0).mono));
        assert_eq!(timers.pop_due(now(5, 4_000)), Some("token"));
    }
}
