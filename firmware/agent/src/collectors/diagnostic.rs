//! The lines of the agent's own log since the collection before. Off unless the twin asks for it; then it begins with
//! the last lines that were kept.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;
use crate::state::AGENT;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "Diagnostic",
    priority: Priority::Off,
    tells: Tells::Kept(|device, _| {
        let lines = device.state.log.take().into_iter();
        lines
            .map(|line| Happening {
                at_s: line.at_s,
                payload: Payload::Diagnostic { level: line.level, message: line.text, process_id: AGENT },
            })
            .collect()
    }),
};
