//! Events that wait to be sent as JSON, each encoded already; bounded in bytes, the oldest lost first.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::schedule::Priority;
use crate::random::Random;
use crate::security_message::json::{self, Event, Guid, Payload};

/// What may wait; the classic agent's `maxLocalCacheSizeInBytes`, cut to this device's memory.
const QUEUED_BYTES_MAX: usize = 128 * 1024;
/// The envelope around the events of a message.
const ENVELOPE_BYTES: usize = 160;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The queue, and the ids of all that goes through it.
pub(super) struct EventQueue {
    agent_id: Guid,
    random: Random,
    events: VecDeque<(Priority, String)>,
    bytes: usize,
}

impl EventQueue {
    /// An empty queue; ids come from `random`.
    pub(super) fn new(mut random: Random) -> Self {
        let agent_id = Guid::from_random(random.bytes());
        Self { agent_id, random, events: VecDeque::new(), bytes: 0 }
    }

    /// Puts an event in; the priorities of those that had to go for it.
    pub(super) fn push(&mut self, time_s: i64, payload: Payload, priority: Priority) -> Vec<Priority> {
        let id = Guid::from_random(self.random.bytes());
        let event = json::encode_event(&Event { id, time_s, payload });
        self.bytes += event.len();
        self.events.push_back((priority, event));
        let mut lost = Vec::new();
        while self.bytes > QUEUED_BYTES_MAX {
            lost.extend(self.pop().map(|(priority, _)| priority));
        }
        lost
    }

    /// A message of the oldest events, as many as fit, and one at least.
    pub(super) fn take_message(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        let (_, first) = self.pop()?;
        let mut bytes = ENVELOPE_BYTES + first.len();
        let mut chosen = Vec::from([first]);
        while let Some((_, next)) = self.events.front() {
            bytes += next.len() + 1;
            if bytes > bytes_max {
                break;
            }
            chosen.extend(self.pop().map(|(_, event)| event));
        }
        Some(json::message(self.agent_id, VERSION, &chosen))
    }

    fn pop(&mut self) -> Option<(Priority, String)> {
        let (priority, event) = self.events.pop_front()?;
        self.bytes -= event.len();
        Some((priority, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(events: i64) -> EventQueue {
        let mut queue = EventQueue::new(Random::new(42, "security-events"));
        for at_s in 0..events {
            let payload = Payload::ConfigurationError { name: "x".into(), used: "y".into() };
            queue.push(at_s, payload, Priority::Low);
        }
        queue
    }

    #[test]
    fn messages_stay_within_their_limit_and_lose_nothing() {
        let mut queue = queue(100);
        let mut events = 0;
        while let Some(message) = queue.take_message(8192) {
            assert!(message.len() <= 8192, "{}", message.len());
            let message: serde_json::Value = serde_json::from_slice(&message).unwrap();
            events += message["Events"].as_array().unwrap().len();
        }
        assert_eq!(events, 100);
    }

    #[test]
    fn an_event_longer_than_the_limit_goes_alone() {
        let mut queue = queue(2);
        assert!(queue.take_message(1).is_some());
        assert!(queue.take_message(1).is_some());
        assert_eq!(queue.take_message(1), None);
    }

    #[test]
    fn a_full_queue_loses_its_oldest() {
        let queue = queue(10_000);
        assert!(queue.bytes <= QUEUED_BYTES_MAX);
        let (_, first) = queue.events.front().unwrap();
        assert!(!first.contains("1970-01-01T00:00:00Z"), "{first}");
        assert!(queue.events.back().unwrap().1.contains("T02:46:39Z"));
    }

    #[test]
    fn whoever_puts_an_event_in_learns_of_what_was_lost_for_it() {
        let mut queue = EventQueue::new(Random::new(42, "security-events"));
        let long = || Payload::ConfigurationError { name: "x".repeat(20_000), used: "y".into() };
        let mut lost = Vec::new();
        for priority in [Priority::High, Priority::Low, Priority::Low, Priority::Low] {
            lost.extend(queue.push(0, long(), priority));
        }
        assert_eq!(lost, [Priority::High]);
    }
}
