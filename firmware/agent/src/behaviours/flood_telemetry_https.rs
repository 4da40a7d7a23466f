//! The device sends far more telemetry than it should, over HTTPS.

use alloc::boxed::Box;
use alloc::vec;

use super::flood_telemetry::{PARAMS, burst};
use super::{Behaviour, OverHttps};
use crate::https::Work;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "flood-telemetry-https",
    summary: "Sends a burst of telemetry over HTTPS.",
    attack: &["T1499"],
    params: &PARAMS,
    start: |device, args, now| {
        let (count, interval_ms, payload_bytes) = burst(args)?;
        let work = Work::Telemetry { count, interval_ms, payload_bytes };
        Ok(Box::new(OverHttps(vec![device.https.begin(work, now.mono_us)])))
    },
};
