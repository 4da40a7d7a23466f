//! Who signed in at the console, or tried to, since the collection before.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;
use crate::state::{CONSOLE, CONSOLE_EXECUTABLE};

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "Login",
    priority: Priority::High,
    tells: Tells::Happenings(|device, _| {
        device.state.users.take_attempts().map(|attempt| Happening {
            at_s: attempt.at_s,
            payload: Payload::Login {
                user: attempt.user,
                success: attempt.success,
                executable: CONSOLE_EXECUTABLE.into(),
                process_id: CONSOLE,
                remote_address: attempt.from,
            },
        })
    }),
};
