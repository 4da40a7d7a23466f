//! How many events were queued and how many of them lost. Unasked, only losses are told.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "DroppedEventsStatistics",
    priority: Priority::Low,
    tells: Tells::WorthTelling(|device, asked| {
        device.state.statistics.take_queues(asked).map(Payload::DroppedEventsStatistics)
    }),
};
