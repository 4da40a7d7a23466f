//! What the device has to do over HTTPS. Jobs advance side by side, one request at a time.

use alloc::string::String;
use alloc::vec::Vec;

use hilarm_link::{DeviceEvent, Disposition};
use serde::Deserialize;

use super::request::Request;
use super::response::Response;
use crate::random::Random;
use crate::telemetry;

/// Between two looks for cloud-to-device messages when none was waiting.
const POLL_US: u64 = 1_000_000;

/// Which job; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobId(u32);

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Send telemetry messages, the first at once, then one every interval. A refused one counts.
    Telemetry {
        /// How many are left.
        count: u32,
        /// Pause between two.
        interval_ms: u32,
        /// Length of each payload.
        payload_bytes: u16,
    },
    /// Receive cloud-to-device messages and end each one in the same way.
    Receive {
        /// How many are left.
        count: u32,
        /// What becomes of each.
        disposition: Disposition,
        /// The lock of the message in hand.
        lock: Option<String>,
    },
    /// Upload a file.
    Upload {
        /// Its name.
        name: String,
        /// Its length.
        size_bytes: u32,
        /// How far the upload has come.
        stage: Stage,
    },
}

/// How far an upload has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The hub is to be asked.
    Ask,
    /// The file is to be sent.
    Put(Leave),
    /// The hub is to be told how it ended.
    Tell {
        /// The upload.
        correlation: String,
        /// What the storage answered.
        status: u16,
    },
    /// Told, or never begun.
    Over,
}

/// The hub's leave to upload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leave {
    correlation_id: String,
    container_name: String,
    blob_name: String,
    sas_token: String,
}

struct Job {
    id: JobId,
    work: Work,
    next_us: u64,
}

/// All that the device has to do over HTTPS.
pub(crate) struct Jobs {
    jobs: Vec<Job>,
    last: u32,
    sequence: u32,
    random: Random,
}

impl Jobs {
    /// Nothing to do; measured values come from `random`.
    pub(crate) fn new(random: Random) -> Self {
        Self { jobs: Vec::new(), last: 0, sequence: 0, random }
    }

    /// Begins a job at once.
    pub(crate) fn begin(&mut self, work: Work, now_us: u64) -> JobId {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let id = JobId(self.last);
        if !work.is_done() {
            self.jobs.push(Job { id, work, next_us: now_us });
        }
        id
    }

    /// Does no more of a job.
    pub(crate) fn cancel(&mut self, id: JobId) {
        self.jobs.retain(|job| job.id != id);
    }

    /// Gives up everything; says how many jobs that were.
    pub(crate) fn cancel_all(&mut self) -> usize {
        core::mem::take(&mut self.jobs).len()
    }

    /// Whether a job is over.
    pub(crate) fn is_finished(&self, id: JobId) -> bool {
        self.jobs.iter().all(|job| job.id != id)
    }

    /// Whether there is nothing to do, now or later.
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// When the next request is due.
    pub(crate) fn due_us(&self) -> Option<u64> {
        self.jobs.iter().map(|job| job.next_us).min()
    }

    /// The request that is due first.
    pub(crate) fn next(&mut self, device: &str, now_us: u64) -> Option<(JobId, Request)> {
        let job = self.jobs.iter().filter(|job| job.next_us <= now_us).min_by_key(|job| job.next_us)?;
        let request = match &job.work {
            Work::Telemetry { payload_bytes, .. } => {
                self.sequence = self.sequence.wrapping_add(1);
                let tenths = 200 + self.random.below(50);
                let payload = telemetry::payload(self.sequence, tenths, usize::from(*payload_bytes));
                Request::event(device, payload)
            }
            Work::Receive { lock: None, .. } => Request::receive(device),
            Work::Receive { lock: Some(lock), disposition, .. } => {
                Request::settle(device, lock, *disposition)
            }
            Work::Upload { name, size_bytes, stage } => match stage {
                Stage::Put(leave) => {
                    let Leave { container_name, blob_name, sas_token, .. } = leave;
                    Request::put_blob(container_name, blob_name, sas_token, *size_bytes)
                }
                Stage::Tell { correlation, status } => Request::end_upload(device, correlation, *status),
                Stage::Ask | Stage::Over => Request::begin_upload(device, name),
            },
        };
        Some((job.id, request))
    }

    /// The hub answered the request of a job; a cancelled one is forgotten.
    pub(crate) fn answered(&mut self, id: JobId, response: &Response, now_us: u64) -> Option<DeviceEvent> {
        let index = self.jobs.iter().position(|job| job.id == id)?;
        let event = self.jobs[index].answered(response, now_us);
        if self.jobs[index].work.is_done() {
            self.jobs.remove(index);
        }
        event
    }
}

impl Job {
    fn answered(&mut self, response: &Response, now_us: u64) -> Option<DeviceEvent> {
        match &mut self.work {
            Work::Telemetry { count, interval_ms, .. } => {
                *count -= 1;
                self.next_us = self.next_us.saturating_add(u64::from(*interval_ms) * 1000);
            }
            Work::Receive { count, lock, .. } if lock.is_some() => {
                *lock = None;
                *count -= 1;
                self.next_us = now_us;
            }
            Work::Receive { lock, .. } => {
                *lock = response.etag.clone().filter(|_| response.status == 200);
                if lock.is_some() {
                    let payload_bytes = u32::try_from(response.body.len()).unwrap_or(u32::MAX);
                    return Some(DeviceEvent::CloudToDeviceReceived { payload_bytes });
                }
                self.next_us = now_us.saturating_add(POLL_US);
            }
            Work::Upload { stage, .. } => *stage = stage.answered(response),
        }
        None
    }
}

impl Stage {
    fn answered(&self, response: &Response) -> Self {
        match self {
            Self::Ask if response.status == 200 => match serde_json::from_slice(&response.body) {
                Ok(leave) => Self::Put(leave),
                Err(_) => Self::Over,
            },
            Self::Put(leave) => {
                Self::Tell { correlation: leave.correlation_id.clone(), status: response.status }
            }
            Self::Ask | Self::Tell { .. } | Self::Over => Self::Over,
        }
    }
}

impl Work {
    fn is_done(&self) -> bool {
        match self {
            Self::Telemetry { count, .. } | Self::Receive { count, .. } => *count == 0,
            Self::Upload { stage, .. } => *stage == Stage::Over,
        }
    }
}
