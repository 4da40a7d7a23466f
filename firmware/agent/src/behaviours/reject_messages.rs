//! The device throws away what the cloud tells it, over HTTPS.

use alloc::boxed::Box;
use alloc::vec;

use hilarm_link::Disposition;

use super::{Behaviour, OverHttps, Param, ParamKind};
use crate::https::Work;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "reject-messages",
    summary: "Receives cloud-to-device messages over HTTPS and rejects each one.",
    attack: &["T1070"],
    params: &[Param {
        name: "count",
        kind: ParamKind::Int { min: 1, max: 1_000_000 },
        required: false,
        summary: "How many messages; without it, all until it is stopped.",
    }],
    start: |device, args, now| {
        let count = args.int("count", u32::MAX)?;
        let work = Work::Receive { count, disposition: Disposition::Reject, lock: None };
        Ok(Box::new(OverHttps(vec![device.https.begin(work, now.mono_us)])))
    },
};
