//! The TCP ports on which the device listens. While there is none, nothing is said unasked.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ListeningPorts",
    priority: Priority::Low,
    tells: Tells::WorthTelling(|device, asked| {
        let ports = device.state.take_listening_ports(asked)?;
        Some(Payload::ListeningPorts { local_address: device.address, ports })
    }),
};
