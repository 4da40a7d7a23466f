//! The hardware of the device, and what is plugged in.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ConnectedHardware",
    priority: Priority::Low,
    tells: Tells::Changes(|device| Payload::ConnectedHardware(device.state.hardware.all().to_vec())),
};
