//! What the agent counts of its own work, between two reports of it.

use crate::collectors::schedule::Priority;

/// From this length on a message is no small one.
const SMALL_BYTES: usize = 4096;

/// Events that went into a queue, and were lost there or on the way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueCount {
    /// Put in.
    pub(crate) collected: u32,
    /// Lost.
    pub(crate) dropped: u32,
}

/// Messages to the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageCount {
    /// Sent.
    pub(crate) sent: u32,
    /// Of these, the small ones.
    pub(crate) under_4_kb: u32,
    /// Given up unsent.
    pub(crate) failed: u32,
}

/// All counts.
#[derive(Default)]
pub(crate) struct Statistics {
    high: QueueCount,
    low: QueueCount,
    messages: MessageCount,
}

impl Statistics {
    /// An event waits to be sent.
    pub(crate) fn collected(&mut self, priority: Priority) {
        self.queue(priority).collected += 1;
    }

    /// An event was lost for want of room.
    pub(crate) fn dropped(&mut self, priority: Priority) {
        self.queue(priority).dropped += 1;
    }

    /// Happenings were lost before a collector saw them: events all the same.
    pub(crate) fn overflowed(&mut self, priority: Priority, lost: u32) {
        let queue = self.queue(priority);
        queue.collected = queue.collected.saturating_add(lost);
        queue.dropped = queue.dropped.saturating_add(lost);
    }

    /// A security message was handed over to be sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.messages.sent += 1;
        self.messages.under_4_kb += u32::from(bytes < SMALL_BYTES);
    }

    /// A security message was given up.
    pub(crate) fn failed(&mut self) {
        self.messages.failed += 1;
    }

    /// The counts of both queues, high priority first; nothing when none was lost, unless `asked`.
    pub(crate) fn take_queues(&mut self, asked: bool) -> Option<[QueueCount; 2]> {
        let worth_telling = asked || self.high.dropped + self.low.dropped > 0;
        worth_telling.then(|| [core::mem::take(&mut self.high), core::mem::take(&mut self.low)])
    }

    /// The count of messages; nothing when none failed, unless `asked`.
    pub(crate) fn take_messages(&mut self, asked: bool) -> Option<MessageCount> {
        (asked || self.messages.failed > 0).then(|| core::mem::take(&mut self.messages))
    }

    fn queue(&mut self, priority: Priority) -> &mut QueueCount {
        if priority == Priority::High { &mut self.high } else { &mut self.low }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_unasked_and_counts_begin_anew() {
        let mut statistics = Statistics::default();
        statistics.collected(Priority::High);
        assert_eq!(statistics.take_queues(false), None);
        statistics.collected(Priority::Low);
        statistics.dropped(Priority::Low);
        let (high, low) = (QueueCount { collected: 1, dropped: 0 }, QueueCount { collected: 1, dropped: 1 });
        assert_eq!(statistics.take_queues(false), Some([high, low]));
        assert_eq!(statistics.take_queues(true), Some([QueueCount::default(); 2]));
    }

    #[test]
    fn messages_are_small_below_4096_bytes_and_failures_told_unasked() {
        let mut statistics = Statistics::default();
        [0, 4095, 4096].into_iter().for_each(|bytes| statistics.sent(bytes));
        assert_eq!(statistics.take_messages(false), None);
        statistics.failed();
        let expected = MessageCount { sent: 3, under_4_kb: 2, failed: 1 };
        assert_eq!(statistics.take_messages(false), Some(expected));
        assert_eq!(statistics.take_messages(true), Some(MessageCount::default()));
    }
}
