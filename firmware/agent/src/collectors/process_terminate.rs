//! The tasks that ended since the collection before.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ProcessTerminate",
    priority: Priority::Low,
    tells: Tells::Happenings(|device, _| {
        device.state.tasks.take_ended().map(|task| Happening {
            at_s: task.at_s,
            payload: Payload::ProcessTerminate {
                executable: task.executable,
                process_id: task.id,
                exit_status: task.exit_status,
            },
        })
    }),
};
