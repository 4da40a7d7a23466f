//! What the device runs; as in the original, the operating system only. The same on every target, so that
//! equal scenarios give equal events.

use alloc::string::ToString;

use super::Collector;
use crate::collectors::schedule::Priority;
use crate::security_message::SecurityPayload;

const OS_INFO: &str = concat!("hilarm firmware ", env!("CARGO_PKG_VERSION"));

pub(super) const COLLECTOR: Collector = Collector {
    interval_s: |schedule| schedule.event_s("SystemInformation", Priority::Low),
    collect: |_| Some(SecurityPayload::SystemInformation { os_info: OS_INFO.to_string() }),
};
