//! The TCP ports on which the device listens. While there is none, nothing is said.

use alloc::vec::Vec;

use super::{EventCollector, Happening};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    interval_s: |schedule| schedule.snapshot_s("ListeningPorts", Priority::Low),
    collect: |device, now| match device.state.take_listening_ports() {
        Some(ports) => {
            let local_address = device.address;
            Vec::from([Happening {
                at_s: now.unix_s(),
                payload: Payload::ListeningPorts { local_address, ports },
            }])
        }
        None => Vec::new(),
    },
};
