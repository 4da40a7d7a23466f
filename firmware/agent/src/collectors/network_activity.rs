//! The flows that the network stack saw since the collection before.

use super::Collector;
use crate::security_message::SecurityPayload;

pub(super) const COLLECTOR: Collector = Collector {
    interval_s: |schedule| schedule.high_s(),
    collect: |device| {
        let flows = device.flows.take();
        (!flows.is_empty()).then_some(SecurityPayload::NetworkActivity(flows))
    },
};
