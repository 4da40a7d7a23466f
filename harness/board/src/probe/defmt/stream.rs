//! Frames out of a stream. One that the image does not explain is told once a boot, and counted.

use std::sync::Arc;

use hilarm_link::LogLevel;

use super::frame::{Statement, read};
use super::table::{Table, TableError};

/// The longest frame that is kept; firmware writes far shorter ones.
const FRAME_BYTES_MAX: usize = 4096;

/// The log of one boot.
#[derive(Clone, Debug)]
pub(in crate::probe) struct Stream {
    table: Result<Option<Arc<Table>>, TableError>,
    frame: Vec<u8>,
    overlong: bool,
    told: bool,
}

impl Default for Stream {
    /// Of an image that has no such log.
    fn default() -> Self {
        Self::new(Ok(None))
    }
}

impl Stream {
    pub(in crate::probe) fn new(table: Result<Option<Arc<Table>>, TableError>) -> Self {
        Self { table, frame: Vec::new(), overlong: false, told: false }
    }

    /// Of an image in memory.
    pub(in crate::probe) fn of(image: &[u8]) -> Self {
        Self::new(Table::read(image).map(|table| table.map(Arc::new)))
    }

    /// The same image's next boot.
    pub(in crate::probe) fn next_boot(&self) -> Self {
        Self::new(self.table.clone())
    }

    /// The lines that end in these bytes.
    pub(in crate::probe) fn push(&mut self, bytes: &[u8]) -> Vec<Statement> {
        let mut statements = Vec::new();
        for &byte in bytes {
            if byte == 0 {
                statements.extend(self.end_frame());
            } else if self.frame.len() < FRAME_BYTES_MAX {
                self.frame.push(byte);
            } else {
                self.overlong = true;
            }
        }
        statements
    }

    fn end_frame(&mut self) -> Option<Statement> {
        let frame = std::mem::take(&mut self.frame);
        let overlong = std::mem::take(&mut self.overlong);
        if frame.is_empty() {
            return None;
        }
        let why = match &self.table {
            Ok(Some(table)) if !overlong => match read(table, &frame) {
                Ok(statement) => return Some(statement),
                Err(_) => unexplained(frame.len()),
            },
            Ok(Some(_)) => unexplained(frame.len()),
            Ok(None) => "it logs by defmt, and its image has no format strings".to_owned(),
            Err(error) => error.to_string(),
        };
        let first = !std::mem::replace(&mut self.told, true);
        let text = format!("the log cannot be read: {why}; what is like it is passed over");
        first.then_some(Statement { level: LogLevel::Warn, timestamp: None, text, place: None })
    }
}

fn unexplained(bytes: usize) -> String {
    format!("a frame of {bytes} bytes is nothing that this image says; another image in the chip?")
}

#[cfg(test)]
mod tests {
    use super::super::table::Role;
    use super::*;

    fn stream() -> Stream {
        let entries = [(1, Role::Statement(Some(LogLevel::Debug)), "tick")];
        Stream::new(Ok(Some(Arc::new(Table::of(None, &entries)))))
    }

    /// Address 1 and nothing else: one byte, and six that were left out.
    const TICK: [u8; 3] = [1, 0x7E, 0];

    #[test]
    fn frames_come_out_however_their_bytes_were_cut() {
        let mut stream = stream();
        let texts: Vec<String> = [&[0][..], &TICK[..1], &TICK[1..], &TICK]
            .iter()
            .flat_map(|bytes| stream.push(bytes))
            .map(|statement| statement.text)
            .collect();
        assert_eq!(texts, ["tick", "tick"]);
    }

    #[test]
    fn a_foreign_frame_is_told_once_and_the_next_one_of_ours_read() {
        let mut stream = stream();
        let told = stream.push(&[9, 9, 9, 0]);
        assert!(told[0].text.contains("a frame of 3 bytes is nothing that this image says"), "{told:?}");
        assert_eq!(stream.push(&[9, 9, 0]), []);
        assert_eq!(stream.push(&TICK)[0].text, "tick");
        assert_eq!(stream.next_boot().push(&[9, 9, 0]).len(), 1, "the next boot tells it anew");
    }

    #[test]
    fn a_stream_without_delimiters_is_bounded() {
        let mut stream = stream();
        for _ in 0..100 {
            assert_eq!(stream.push(&[7; 1024]), []);
        }
        assert!(stream.frame.len() <= FRAME_BYTES_MAX);
        assert_eq!(stream.push(&[0]).len(), 1);
    }

    #[test]
    fn an_image_that_is_none_says_so_when_somebody_logs() {
        let mut stream = Stream::of(b"no ELF");
        assert_eq!(stream.push(&[]), []);
        assert!(stream.push(&TICK)[0].text.contains("no ELF"), "the reason is told");
        assert!(Stream::default().push(&TICK)[0].text.contains("no format strings"));
    }
}
