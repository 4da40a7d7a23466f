//! The agent is alive.

use super::Collector;
use crate::security_message::SecurityPayload;

pub(super) const COLLECTOR: Collector =
    Collector { interval_s: |schedule| schedule.low_s(), collect: |_| Some(SecurityPayload::Heartbeat) };
