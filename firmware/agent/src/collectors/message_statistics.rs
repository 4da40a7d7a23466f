//! How many messages the agent sent. Unasked, only failures are told.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "MessageStatistics",
    priority: Priority::Low,
    tells: Tells::WorthTelling(|device, asked| {
        device.state.statistics.take_messages(asked).map(Payload::MessageStatistics)
    }),
};
