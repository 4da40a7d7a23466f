//! The firewall: whether it is on, and its rules.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "FirewallConfiguration",
    priority: Priority::Low,
    tells: Tells::Changes(|device| {
        let firewall = &device.state.firewall;
        Payload::FirewallConfiguration { enabled: firewall.is_enabled(), rules: firewall.rules().to_vec() }
    }),
};
