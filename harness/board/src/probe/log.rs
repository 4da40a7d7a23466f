//! What the firmware of one boot has said over the probe: text of its console and statements of its log, as lines
//! in the order in which they came. It keeps the last ones, whatever became of the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hilarm_link::LogLevel;

use super::defmt::{Statement, Stream};
use crate::Elf;

/// Lines that are kept for whoever asks what the firmware said last.
const TAIL_LINES: usize = 64;
/// Lines that nobody has taken yet.
const FRESH_LINES_MAX: usize = 1024;
const LINE_BYTES_MAX: usize = 1024;

/// A line of the firmware's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How grave it is; text on the console does not tell and passes for information.
    pub level: LogLevel,
    /// With the firmware's own time before it and its place in the source behind it, where they are known.
    pub text: String,
}

/// The lines of one boot, shared by those who write and those who read.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Bytes of a line of text that has not ended.
    rest: Vec<u8>,
    frames: Stream,
    tail: VecDeque<LogLine>,
    fresh: VecDeque<LogLine>,
}

impl Log {
    /// The log of firmware that runs this image.
    pub(super) fn of(image: &Elf) -> Self {
        let frames = Stream::of(&std::fs::read(image.path()).unwrap_or_default());
        Self(Arc::new(Mutex::new(Lines { frames, ..Lines::default() })))
    }

    /// Forgets what an earlier boot said.
    pub(super) fn clear(&self) {
        let mut lines = self.lines();
        *lines = Lines { frames: lines.frames.next_boot(), ..Lines::default() };
    }

    /// The last lines, at most so many.
    pub(super) fn last(&self, count: usize) -> Vec<LogLine> {
        let lines = self.lines();
        lines.tail.iter().skip(lines.tail.len().saturating_sub(count)).cloned().collect()
    }

    /// The last lines as one text.
    pub(super) fn tail(&self) -> String {
        self.last(TAIL_LINES).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }

    /// The lines since the last call.
    pub(super) fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines().fresh).into()
    }

    /// Takes bytes of the console.
    pub(super) fn push_text(&self, bytes: &[u8]) {
        let mut lines = self.lines();
        for &byte in bytes {
            if byte == b'\n' || lines.rest.len() >= LINE_BYTES_MAX {
                let text = String::from_utf8_lossy(&std::mem::take(&mut lines.rest)).into_owned();
                lines.add(LogLine { level: LogLevel::Info, text });
            }
            if byte != b'\n' && byte != b'\r' {
                lines.rest.push(byte);
            }
        }
    }

    /// Takes bytes of the log's channel.
    pub(super) fn push_frames(&self, bytes: &[u8]) {
        let mut lines = self.lines();
        for statement in lines.frames.push(bytes) {
            lines.add(line(statement));
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn add(&mut self, line: LogLine) {
        if self.tail.len() >= TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        // A firmware that floods its log costs its oldest lines, not memory.
        if self.fresh.len() >= FRESH_LINES_MAX {
            self.fresh.pop_front();
        }
        self.fresh.push_back(line);
    }
}

fn line(statement: Statement) -> LogLine {
    let Statement { level, timestamp, text, place } = statement;
    let before = timestamp.map(|at| format!("{at} ")).unwrap_or_default();
    let behind = place.map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
    LogLine { level, text: format!("{before}{text}{behind}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &Log) -> Vec<String> {
        log.take().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn text_comes_as_lines_however_its_bytes_were_cut() {
        let log = Log::default();
        log.push_text(b"boot");
        assert_eq!(texts(&log), [""; 0]);
        log.push_text(b"ed\r\nPANIC: no\nrest");
        assert_eq!(texts(&log), ["booted", "PANIC: no"]);
        assert_eq!(texts(&log), [""; 0]);
        assert_eq!(log.tail(), "booted\nPANIC: no");
        assert_eq!(log.last(1)[0].text, "PANIC: no");
        log.clear();
        log.push_text(b"\n");
        assert_eq!(texts(&log), [""], "the rest of an earlier boot is gone");
    }

    #[test]
    fn text_that_never_ends_its_line_or_its_lines_is_bounded() {
        let log = Log::default();
        log.push_text(&[b'x'; 10 * LINE_BYTES_MAX]);
        assert!(texts(&log).iter().all(|line| line.len() <= LINE_BYTES_MAX));
        log.push_text("\n".repeat(100_000).as_bytes());
        assert_eq!(log.last(usize::MAX).len(), TAIL_LINES);
        assert!(texts(&log).len() <= FRESH_LINES_MAX);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_one_line_between_the_others() {
        let log = Log::default();
        log.push_text(b"first\n");
        log.push_frames(&[5, 0, 6, 0]);
        log.push_text(b"last\n");
        let lines = log.take();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[1].level, LogLevel::Warn);
        assert!(lines[1].text.starts_with("the log cannot be read: "), "{lines:?}");
    }
}
