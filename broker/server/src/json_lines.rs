//! Records as JSON lines, the form in which journals hold them.

use std::io::{self, Write};

use hilarm_model::HubRecord;

/// Writes one line a record and flushes it, so that a reader can follow.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Lines go to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes one record.
    pub fn record(&mut self, record: &HubRecord) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, record)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilarm_model::{HubEvent, Timestamp};

    #[test]
    fn a_record_is_one_line_that_reads_back() {
        let record = HubRecord { at: Timestamp::from_secs(1), event: HubEvent::MonitoringStarted };
        let mut text = Vec::new();
        let mut lines = JsonLines::new(&mut text);
        lines.record(&record).unwrap();
        lines.record(&record).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            assert_eq!(serde_json::from_str::<HubRecord>(line).unwrap(), record);
        }
    }
}
