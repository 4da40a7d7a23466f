//! The last lines of the device's own log, for whoever asks for them: the oldest is lost first.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use hilarm_link::LogLevel;

/// How many lines are kept; small devices hold little.
const LINES_MAX: usize = 32;

/// How much of a line is kept: whoever writes to the log may make it as long as a command.
const LINE_CHARS_MAX: usize = 256;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When, Unix seconds.
    pub(crate) at_s: i64,
    /// How bad.
    pub(crate) level: LogLevel,
    /// What, as far as it was kept.
    pub(crate) text: String,
}

/// The lines since the last time somebody asked.
#[derive(Default)]
pub(crate) struct AgentLog(VecDeque<LogLine>);

impl AgentLog {
    /// Keeps a line.
    pub(crate) fn keep(&mut self, at_s: i64, level: LogLevel, text: &str) {
        if self.0.len() >= LINES_MAX {
            self.0.pop_front();
        }
        let text = text.chars().take(LINE_CHARS_MAX).collect();
        self.0.push_back(LogLine { at_s, level, text });
    }

    /// The lines kept.
    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        core::mem::take(&mut self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_last_lines_are_kept_and_handed_out_once() {
        let mut log = AgentLog::default();
        for number in 0..=LINES_MAX as i64 {
            log.keep(number, LogLevel::Warn, &number.to_string());
        }
        let lines = log.take();
        assert_eq!((lines.len(), lines[0].at_s), (LINES_MAX, 1));
        assert_eq!(lines.last().map(|line| line.text.as_str()), Some("32"));
        assert_eq!(log.take(), []);
    }

    #[test]
    fn of_a_long_line_the_beginning_is_kept_and_no_character_is_cut_in_two() {
        let mut log = AgentLog::default();
        log.keep(0, LogLevel::Warn, &"é".repeat(LINE_CHARS_MAX + 1));
        log.keep(0, LogLevel::Warn, &"é".repeat(LINE_CHARS_MAX));
        for line in log.take() {
            assert_eq!(line.text, "é".repeat(LINE_CHARS_MAX));
        }
    }
}
