//! The device uploads files that nobody asked for.

use alloc::boxed::Box;
use alloc::format;

use super::{Behaviour, OverHttps, Param, ParamKind};
use crate::agent::UPLOAD_BYTES_MAX;
use crate::https::{Stage, Work};

const DEFAULT_SIZE_BYTES: u32 = 1024;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "upload-files",
    summary: "Uploads files to the hub's storage, one after the other.",
    attack: &["T1567.002"],
    params: &[
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 1000 },
            required: true,
            summary: "How many files.",
        },
        Param {
            name: "size_bytes",
            kind: ParamKind::Int { min: 0, max: UPLOAD_BYTES_MAX as i64 },
            required: false,
            summary: "Length of each file; 1024 by default.",
        },
        Param {
            name: "name",
            kind: ParamKind::Text,
            required: false,
            summary: "What the files' names begin with; `dump` by default.",
        },
    ],
    start: |device, args, now| {
        let count: u32 = args.int("count", 0)?;
        let size_bytes = args.int("size_bytes", DEFAULT_SIZE_BYTES)?;
        let prefix = args.text("name").unwrap_or("dump");
        let upload = |number| {
            let name = format!("{prefix}-{number}");
            device.https.begin(Work::Upload { name, size_bytes, stage: Stage::Ask }, now.mono_us)
        };
        Ok(Box::new(OverHttps((1..=count).map(upload).collect())))
    },
};
