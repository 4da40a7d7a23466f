//! Telemetry: bursts of messages, each with its own pace. The payload is a small JSON object of exactly the
//! length asked for.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::random::Random;

/// Which burst a message belongs to; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BurstId(pub(crate) u32);

/// What the connection can take at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Everything that is due.
    Open,
    /// Nothing: the queue is full and drains.
    Full,
    /// The queue is full and nothing drains it. Paced bursts go on at the cost of the oldest messages; those
    /// without a pace wait.
    PacedOnly,
}

struct Burst {
    id: BurstId,
    unsent: u32,
    unsettled: u32,
    settled: Settled,
    interval_us: u64,
    next_us: u64,
    payload_bytes: u16,
}

impl Burst {
    fn due_us(&self, room: Room) -> Option<u64> {
        let may_send = match room {
            Room::Open => true,
            Room::Full => false,
            Room::PacedOnly => self.interval_us > 0,
        };
        (self.unsent > 0 && may_send).then_some(self.next_us)
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The hub acknowledged it.
    Acknowledged,
    /// The device gave it up for a newer one.
    Dropped,
}

/// What became of a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) acknowledged: u32,
    pub(crate) dropped: u32,
}

/// A telemetry message.
pub(crate) struct Message {
    /// Its burst.
    pub(crate) burst: BurstId,
    /// JSON.
    pub(crate) payload: Vec<u8>,
}

/// The device's telemetry.
pub(crate) struct Telemetry {
    bursts: Vec<Burst>,
    last_burst: u32,
    sequence: u32,
    random: Random,
}

impl Telemetry {
    /// No bursts yet; the measured values come from `random`.
    pub(crate) fn new(random: Random) -> Self {
        Self { bursts: Vec::new(), last_burst: 0, sequence: 0, random }
    }

    /// Plans `count` messages, the first now, then one every `interval_ms`.
    pub(crate) fn begin(&mut self, count: u32, interval_ms: u32, payload_bytes: u16, now_us: u64) -> BurstId {
        self.last_burst = self.last_burst.checked_add(1).unwrap_or(1);
        let id = BurstId(self.last_burst);
        if count > 0 {
            self.bursts.push(Burst {
                id,
                unsent: count,
                unsettled: 0,
                settled: Settled::default(),
                interval_us: u64::from(interval_ms) * 1000,
                next_us: now_us,
                payload_bytes,
            });
        }
        id
    }

    /// Sends no more of a burst.
    pub(crate) fn cancel(&mut self, id: BurstId) {
        self.bursts.retain(|burst| burst.id != id);
    }

    /// Whether a burst has been sent and settled whole.
    pub(crate) fn is_finished(&self, id: BurstId) -> bool {
        self.bursts.iter().all(|burst| burst.id != id)
    }

    /// Changes the pace of every burst under way.
    pub(crate) fn set_interval(&mut self, interval_ms: u32) {
        for burst in &mut self.bursts {
            burst.interval_us = u64::from(interval_ms) * 1000;
        }
    }

    /// The next message that is due, and for which there is room.
    pub(crate) fn take_due(&mut self, room: Room, now_us: u64) -> Option<Message> {
        let is_due = |burst: &&mut Burst| burst.due_us(room).is_some_and(|due_us| due_us <= now_us);
        let burst = self.bursts.iter_mut().find(is_due)?;
        burst.unsent -= 1;
        burst.unsettled += 1;
        burst.next_us = burst.next_us.saturating_add(burst.interval_us);
        let (id, payload_bytes) = (burst.id, burst.payload_bytes);
        self.sequence = self.sequence.wrapping_add(1);
        let tenths = 200 + self.random.below(50);
        let payload = payload(self.sequence, tenths, usize::from(payload_bytes));
        Some(Message { burst: id, payload })
    }

    /// A message came to its end. Answers when it was the last of its burst.
    pub(crate) fn settle(&mut self, id: BurstId, fate: Fate) -> Option<Settled> {
        let index = self.bursts.iter().position(|burst| burst.id == id)?;
        let burst = &mut self.bursts[index];
        burst.unsettled = burst.unsettled.saturating_sub(1);
        match fate {
            Fate::Acknowledged => burst.settled.acknowledged += 1,
            Fate::Dropped => burst.settled.dropped += 1,
        }
        let over = burst.unsent == 0 && burst.unsettled == 0;
        over.then(|| self.bursts.remove(index).settled)
    }

    /// When the next message is due.
    pub(crate) fn poll_timeout(&self, room: Room) -> Option<u64> {
        self.bursts.iter().filter_map(|burst| burst.due_us(room)).min()
    }
}

/// The fullest object that fits, filled up with spaces, which JSON allows.
pub(crate) fn payload(sequence: u32, tenths: u64, bytes: usize) -> Vec<u8> {
    let full = format!(r#"{{"seq":{sequence},"temperature":{}.{}}}"#, tenths / 10, tenths % 10);
    let short = format!(r#"{{"seq":{sequence}}}"#);
    let candidates = [full, short, String::from("{}")];
    let fitting = candidates.into_iter().find(|json| json.len() <= bytes).unwrap_or_default();
    let mut payload = fitting.into_bytes();
    payload.resize(bytes, b' ');
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telemetry() -> Telemetry {
        Telemetry::new(Random::new(42, "telemetry"))
    }

    fn sequence(message: &Message) -> u64 {
        let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        json["seq"].as_u64().unwrap()
    }

    #[test]
    fn the_first_message_is_due_at_once_and_the_next_after_the_interval() {
        let mut telemetry = telemetry();
        telemetry.begin(2, 10, 40, 1000);
        let first = telemetry.take_due(Room::Open, 1000).unwrap();
        assert_eq!((sequence(&first), first.payload.len()), (1, 40));
        assert!(telemetry.take_due(Room::Open, 10_999).is_none());
        assert_eq!(telemetry.poll_timeout(Room::Open), Some(11_000));
        assert_eq!(sequence(&telemetry.take_due(Room::Open, 11_000).unwrap()), 2);
        assert_eq!(telemetry.poll_timeout(Room::Open), None);
    }

    #[test]
    fn a_burst_is_finished_when_all_of_it_is_settled() {
        let mut telemetry = telemetry();
        let id = telemetry.begin(2, 0, 8, 0);
        telemetry.take_due(Room::Open, 0).unwrap();
        assert_eq!(telemetry.settle(id, Fate::Dropped), None);
        assert!(!telemetry.is_finished(id), "one is still to be sent");
        telemetry.take_due(Room::Open, 0).unwrap();
        assert!(!telemetry.is_finished(id), "one is still under way");
        let settled = telemetry.settle(id, Fate::Acknowledged);
        assert_eq!(settled, Some(Settled { acknowledged: 1, dropped: 1 }));
        assert!(telemetry.is_finished(id));
        let two_under_way = telemetry.begin(2, 0, 8, 0);
        telemetry.take_due(Room::Open, 0).unwrap();
        telemetry.take_due(Room::Open, 0).unwrap();
        assert_eq!(telemetry.settle(two_under_way, Fate::Acknowledged), None);
        assert!(!telemetry.is_finished(two_under_way));
        let nothing = telemetry.begin(0, 0, 8, 0);
        assert!(telemetry.is_finished(nothing));
    }

    #[test]
    fn without_a_connection_only_paced_bursts_go_on() {
        let mut telemetry = telemetry();
        telemetry.begin(u32::MAX, 0, 8, 0);
        assert!(telemetry.take_due(Room::PacedOnly, 0).is_none());
        assert_eq!(telemetry.poll_timeout(Room::PacedOnly), None);
        telemetry.begin(5, 10, 8, 0);
        assert!(telemetry.take_due(Room::PacedOnly, 0).is_some());
        assert!(telemetry.take_due(Room::Full, 10_000).is_none());
    }

    #[test]
    fn payloads_have_exactly_the_length_asked_for_and_stay_json_where_they_can() {
        for bytes in 0..64 {
            let payload = payload(1, 214, bytes);
            assert_eq!(payload.len(), bytes);
            if bytes >= 2 {
                assert!(serde_json::from_slice::<serde_json::Value>(&payload).is_ok(), "{bytes}");
            }
        }
        assert_eq!(payload(1, 214, 32), br#"{"seq":1,"temperature":21.4}    "#);
    }
}
