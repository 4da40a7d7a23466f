//! The tasks that were started since the collection before.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ProcessCreate",
    priority: Priority::High,
    tells: Tells::Happenings(|device, _| {
        device.state.tasks.take_started().map(|task| Happening {
            at_s: task.at_s,
            payload: Payload::ProcessCreate {
                executable: task.executable,
                command_line: task.command_line,
                user: task.user,
                process_id: task.id,
                parent_process_id: task.parent,
            },
        })
    }),
};
