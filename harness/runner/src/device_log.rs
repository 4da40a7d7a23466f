//! What the devices of a run said, as text: log lines and events in the order in which the harness heard them. For the
//! reader, never for a verdict.

use std::io::{self, Write};

use crate::journal::{Entry, HarnessRecord, Journal, Line};

/// The file in a run's folder.
pub(crate) const FILE: &str = "devices.log";

/// Writes all of it.
pub(crate) fn write(journal: &Journal, file: &mut impl Write) -> io::Result<()> {
    said(journal).try_for_each(|line| writeln!(file, "{line}"))?;
    file.flush()
}

/// The last lines.
pub(crate) fn tail(journal: &Journal, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = said(journal).rev().take(count).collect();
    lines.reverse();
    lines
}

fn said(journal: &Journal) -> impl DoubleEndedIterator<Item = String> {
    journal.lines().iter().filter_map(text)
}

fn text(line: &Line) -> Option<String> {
    match &line.entry {
        Entry::Harness(HarnessRecord::DeviceLog { device, level, text }) => {
            Some(format!("{} {device} {level:?}: {text}", line.mono))
        }
        Entry::Harness(HarnessRecord::DeviceEvent { device, event }) => {
            Some(format!("{} {device} {event:?}", line.mono))
        }
        _ => None,
    }
}
