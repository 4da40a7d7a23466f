//! The journal: everything that happened in a run, as one sequence. Hub lines are all that the defender
//! sees; proof and expectations read both kinds. On disk it is JSON lines, each written whole, so what is
//! there stays readable however the run ends.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;

use hilarm_board::AutopsyVerdict;
use hilarm_link::{CommandError, DeviceEvent, LogLevel};
use hilarm_model::{DeviceId, HubRecord, Monotonic, Timestamp};
use hilarm_network::NetworkFact;
use hilarm_scenario::{FeedbackOutcome, Scenario};
use serde::{Deserialize, Serialize};

/// First line of a journal: all that is needed to run the same thing again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Version of the journal format; 1.
    pub schema: u32,
    /// Version of hilarm that wrote it.
    pub hilarm: String,
    /// Id of the scenario, the path of its file.
    pub scenario_id: String,
    /// `main`, `benign` or `boundary:...`.
    pub variant: String,
    /// Id of the board.
    pub board: String,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the firmware that was booted; absent on sim.
    pub elf_sha256: Option<String>,
    /// Whether peer facts come from real TLS handshakes.
    pub tls: bool,
    /// Calendar time at which the run began.
    pub t0: Timestamp,
    /// The scenario as it was run, variant applied.
    pub scenario: Scenario,
}

/// One line after the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Monotonic time of the world.
    pub mono: Monotonic,
    /// What happened.
    pub entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The hub recorded a fact.
    Hub(HubRecord),
    /// The harness noticed something.
    Harness(HarnessRecord),
}

/// What the harness noticed: truth about steps, devices, network and adversary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarnessRecord {
    /// A step began.
    StepStarted {
        /// Its place in the file, e.g. `steps[2].malicious.do[0]`.
        path: String,
        /// Its key, e.g. `behaviour`.
        kind: String,
    },
    /// A device answered a command.
    CommandAnswered {
        /// The device.
        device: DeviceId,
        /// Number of the command.
        id: u32,
        /// Whether it took it.
        result: Result<(), CommandError>,
    },
    /// A device noticed something.
    DeviceEvent {
        /// The device.
        device: DeviceId,
        /// What.
        event: DeviceEvent,
    },
    /// A device wrote a log line.
    DeviceLog {
        /// The device.
        device: DeviceId,
        /// Severity.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// Network truth.
    Network {
        /// The device on that link.
        device: DeviceId,
        /// What happened.
        fact: NetworkFact,
    },
    /// The adversary's broker received a message from a bot.
    AdversaryReceived {
        /// The broker's address.
        endpoint: String,
        /// MQTT client id of the bot.
        client_id: String,
        /// Topic.
        topic: String,
        /// Payload length.
        payload_bytes: u64,
    },
    /// The service side was told of a completed file upload.
    FileNotificationTaken {
        /// The device.
        device: DeviceId,
        /// `{device}/{blob}` within the container.
        blob_path: String,
        /// Length of the blob.
        blob_bytes: u64,
    },
    /// The service side was told what became of a cloud-to-device message.
    FeedbackTaken {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// What became of it.
        outcome: FeedbackOutcome,
    },
    /// Bytes of the hub's application protocol, counted by the network and by the hub's side of it.
    BytesAccounted {
        /// The device.
        device: DeviceId,
        /// As the network handed them over.
        network_bytes: u64,
        /// As the hub consumed them.
        hub_bytes: u64,
    },
    /// The run ended; the books close at this time of the hub.
    RunEnded {
        /// The hub's calendar.
        at: Timestamp,
    },
    /// A device can no longer be used.
    DeviceFailed {
        /// The device.
        device: DeviceId,
        /// Why.
        fault: String,
        /// Of what it died, where that was found out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<AutopsyVerdict>,
    },
    /// A step did not do what it says: the run fails, whatever else happened.
    StepFailed {
        /// Its place in the file.
        path: String,
        /// What went wrong.
        problem: String,
    },
    /// The run could not go on for a reason that says nothing about the scenario.
    RunFailed {
        /// Why.
        reason: String,
    },
}

/// The journal of one run, in memory and, where wanted, on disk.
#[derive(Debug)]
pub struct Journal {
    header: Header,
    lines: Vec<Line>,
    file: Option<File>,
    write_error: Option<String>,
}

impl Journal {
    /// A journal in memory only.
    pub fn in_memory(header: Header) -> Self {
        Self { header, lines: Vec::new(), file: None, write_error: None }
    }

    /// A journal that is also written to `path`.
    pub fn create(header: Header, path: &Path) -> io::Result<Self> {
        let mut journal = Self { file: Some(File::create(path)?), ..Self::in_memory(header) };
        let text = serde_json::to_string(&journal.header).map_err(io::Error::other)?;
        journal.write(text)?;
        Ok(journal)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All lines so far.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The hub's records, in order.
    pub fn hub_records(&self) -> impl Iterator<Item = &HubRecord> {
        self.lines.iter().filter_map(|line| match &line.entry {
            Entry::Hub(record) => Some(record),
            Entry::Harness(_) => None,
        })
    }

    /// Why the file is incomplete, if it is.
    pub fn write_error(&self) -> Option<&str> {
        self.write_error.as_deref()
    }

    pub(crate) fn push(&mut self, mono: Monotonic, entry: Entry) {
        let line = Line { mono, entry };
        if self.file.is_some() && self.write_error.is_none() {
            let written = serde_json::to_string(&line).map_err(io::Error::other);
            if let Err(error) = written.and_then(|text| self.write(text)) {
                self.write_error = Some(error.to_string());
            }
        }
        self.lines.push(line);
    }

    fn write(&mut self, mut text: String) -> io::Result<()> {
        text.push('\n');
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()))
    }
}

/// Why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("cannot read the journal")]
    Io(#[from] io::Error),
    /// A line does not decode.
    #[error("line {line} of the journal does not decode: {message}")]
    Line {
        /// 1-based.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// It is empty.
    #[error("the journal is empty: the run ended before it began")]
    Empty,
    /// Written in another format.
    #[error("journal schema {0} is not known to this version, which reads schema 1")]
    Schema(u32),
}

/// A journal read back. A last line that was cut off in mid-write is left out and reported.
#[derive(Debug)]
pub struct Recorded {
    /// The header.
    pub header: Header,
    /// All whole lines.
    pub lines: Vec<Line>,
    /// The last line was cut off: the run was killed.
    pub truncated: bool,
}

/// Reads a journal.
pub fn read_journal(reader: impl BufRead) -> Result<Recorded, JournalError> {
    let mut texts = Vec::new();
    for text in reader.lines() {
        texts.push(text?);
    }
    let (first, rest) = texts.split_first().ok_or(JournalError::Empty)?;
    let header: Header = serde_json::from_str(first)
        .map_err(|error| JournalError::Line { line: 1, message: error.to_string() })?;
    if header.schema != 1 {
        return Err(JournalError::Schema(header.schema));
    }
    let mut lines = Vec::with_capacity(rest.len());
    for (at, text) in rest.iter().enumerate() {
        match serde_json::from_str(text) {
            Ok(line) => lines.push(line),
            Err(error) if error.is_eof() && at + 1 == rest.len() => {
                return Ok(Recorded { header, lines, truncated: true });
            }
            Err(error) => {
                return Err(JournalError::Line { line: at + 2, message: error.to_string() });
            }
        }
    }
    Ok(Recorded { header, lines, truncated: false })
}
