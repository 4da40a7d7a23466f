//! The users of the device.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "LocalUsers",
    priority: Priority::High,
    tells: Tells::Changes(|device| Payload::LocalUsers(device.state.users.all().collect())),
};
