//! Settings of the twin that the agent cannot use.

use super::{EventCollector, Happening};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    interval_s: |schedule| schedule.event_s("ConfigurationError", Priority::Low),
    collect: |device, now| {
        let refused = device.schedule.take_refused().into_iter();
        refused
            .map(|(name, used)| Happening {
                at_s: now.unix_s(),
                payload: Payload::ConfigurationError { name, used },
            })
            .collect()
    },
};
