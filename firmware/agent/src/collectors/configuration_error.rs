//! Settings of the twin that the agent cannot use.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ConfigurationError",
    priority: Priority::Low,
    tells: Tells::Happenings(|device, now| {
        let refused = device.schedule.take_refused().into_iter();
        refused
            .map(|(name, used)| Happening {
                at_s: now.unix_s(),
                payload: Payload::ConfigurationError { name, used },
            })
            .collect()
    }),
};
