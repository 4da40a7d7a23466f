//! The device sends far more telemetry than it should, over HTTPS.

use alloc::boxed::Box;
use alloc::vec;

use super::{Behaviour, OverHttps, Param, ParamKind};
use crate::https::Work;

const DEFAULT_INTERVAL_MS: u32 = 50;
const DEFAULT_PAYLOAD_BYTES: u16 = 32;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "flood-telemetry-https",
    summary: "Sends a burst of telemetry over HTTPS.",
    attack: &["T1499"],
    params: &[
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 1_000_000 },
            required: true,
            summary: "How many messages.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 0, max: 3_600_000 },
            required: false,
            summary: "Pause between two messages; 50 by default.",
        },
        Param {
            name: "payload_bytes",
            kind: ParamKind::Int { min: 0, max: 65_535 },
            required: false,
            summary: "Length of each payload; 32 by default.",
        },
    ],
    start: |device, args, now| {
        let count = args.int("count", 0)?;
        let interval_ms = args.int("interval_ms", DEFAULT_INTERVAL_MS)?;
        let payload_bytes = args.int("payload_bytes", DEFAULT_PAYLOAD_BYTES)?;
        let work = Work::Telemetry { count, interval_ms, payload_bytes };
        Ok(Box::new(OverHttps(vec![device.https.begin(work, now.mono_us)])))
    },
};
