//! What became of one run, as reports tell it.

use std::path::PathBuf;
use std::time::Duration;

use hilarm_defender::{Alert, Recommendation};
use hilarm_model::{HubEvent, SecurityPayload};

use crate::journal::Journal;
use crate::judge::{Finding, Verdict, subject_of};
use crate::variant::Variant;

/// What became of one run of a trial.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Id of the scenario.
    pub scenario: String,
    /// Which run.
    pub variant: Variant,
    /// Id of the board.
    pub board: String,
    /// The seed.
    pub seed: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Wall-clock time.
    pub wall: Duration,
    /// Hub time, jumps included.
    pub hub: Duration,
    /// What fired: slug, subject, severity.
    pub alerts: Vec<FiredAlert>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The device's last log lines, on anything but a pass.
    pub last_logs: Vec<String>,
    /// Folder with journal and capture.
    pub folder: Option<PathBuf>,
    /// HubEvents less byte counts: equal for equal runs.
    pub fingerprint: Vec<String>,
}

/// An alert as results name it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FiredAlert {
    /// Slug of the detection.
    pub alert: String,
    /// `device pump-1` or `hub`.
    pub subject: String,
    /// Severity.
    pub severity: String,
}

impl From<&Alert> for FiredAlert {
    fn from(alert: &Alert) -> Self {
        Self {
            alert: alert.slug.to_owned(),
            subject: subject_of(alert),
            severity: format!("{:?}", alert.severity),
        }
    }
}

impl From<&Recommendation> for FiredAlert {
    fn from(raised: &Recommendation) -> Self {
        Self {
            alert: raised.slug.to_owned(),
            subject: format!("hub, {:?}", raised.state),
            severity: format!("{:?}", raised.severity),
        }
    }
}

/// HubEvents less byte counts: TLS signatures vary in length.
pub(crate) fn fingerprint(journal: &Journal) -> Vec<String> {
    journal
        .hub_records()
        .map(|record| {
            let mut record = record.clone();
            if let HubEvent::SecurityMessageReceived { events, .. } = &mut record.event {
                for event in events {
                    if let SecurityPayload::NetworkActivity(flows) = &mut event.payload {
                        flows.iter_mut().for_each(|flow| (flow.bytes_in, flow.bytes_out) = (0, 0));
                    }
                }
            }
            format!("{} {:?}", record.at.as_micros(), record.event)
        })
        .collect()
}
