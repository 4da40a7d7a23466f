//! `boards.local.yaml`: what is plugged into this desk. The file is nobody else's business, so it is not tracked,
//! and nothing here ever writes it.

mod tree;
mod wrong;

use std::collections::BTreeMap;
use std::path::Path;

pub use wrong::LocalErrors;

use tree::{Content, Node};
use wrong::{Report, suggestion};

use crate::{Backend, Board, BoardError, SerialAddress};

/// Name of the file, beside `boards/`.
pub const LOCAL_FILE: &str = "boards.local.yaml";

/// What a file may look like; `hilarm boards --help` shows it.
pub const LOCAL_EXAMPLE: &str = "\
# Which of the things plugged into this desk are which board. `hilarm boards scan` proposes it.
boards:
  nucleo-f429zi:                       # the board file's name; two units of one kind are two entries
    - probe_serial: 066DFF525254888367 # of its debug probe, as `hilarm boards scan` lists it
      port: usb:0483:374b,serial=066DFF525254888367,interface=2
    - usb_path: 1-4.2                  # for a probe without a serial number: the socket it is plugged into
      port: /dev/ttyACM1               # or tcp:host:port, rfc2217:host:port
      power: [uhubctl, -l, 1-4, -p, 2, -a, cycle] # switches its power off and on: the last rung of the reset ladder
";

const KEYS: [&str; 4] = ["probe_serial", "usb_path", "port", "power"];

/// What is plugged into this desk, by board.
#[derive(Clone, Debug, Default)]
pub struct LocalBoards {
    boards: BTreeMap<String, Vec<LocalUnit>>,
}

/// One board on the desk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalUnit {
    /// Serial number of its debug probe.
    pub probe_serial: Option<String>,
    /// USB path of its debug probe's socket, `1-4.2`.
    pub usb_path: Option<String>,
    /// Its serial line: a path, `usb:0483:374b`, `tcp:host:port` or `rfc2217:host:port`.
    pub port: Option<String>,
    /// The command that switches its power off and on again.
    pub power: Vec<String>,
}

impl LocalBoards {
    /// Reads the file of a project. Without one nothing is named, and a lone board is still found.
    pub fn read(project: &Path, boards: &[Board]) -> Result<Self, BoardError> {
        let path = project.join(LOCAL_FILE);
        let path = path.strip_prefix(".").unwrap_or(&path);
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| BoardError::Unreadable { path: path.to_owned(), error })?,
        };
        Ok(Self::parse(path, &text, boards)?)
    }

    /// Parses the file's text, and answers with all that is wrong with it.
    pub fn parse(path: &Path, text: &str, boards: &[Board]) -> Result<Self, LocalErrors> {
        let mut report = Report::new(text);
        let root = tree::read(text, &mut report);
        let mut reader = Reader { boards, taken: BTreeMap::new(), report };
        let found = root.map(|root| reader.file(&root)).unwrap_or_default();
        reader.report.finish(path)?;
        Ok(Self { boards: found })
    }

    /// The units of a board: those that the file names, or one of which nothing is known.
    pub fn units(&self, board: &str) -> Vec<LocalUnit> {
        match self.boards.get(board) {
            Some(units) if !units.is_empty() => units.clone(),
            _ => vec![LocalUnit::default()],
        }
    }

    /// The units that the file names, with their boards.
    pub fn named(&self) -> impl Iterator<Item = (&str, &LocalUnit)> {
        self.boards.iter().flat_map(|(id, units)| units.iter().map(move |unit| (id.as_str(), unit)))
    }
}

struct Reader<'a> {
    boards: &'a [Board],
    /// What a unit was told by already, and in which line: a probe or a port is one unit's.
    taken: BTreeMap<(&'static str, String), usize>,
    report: Report,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> BTreeMap<String, Vec<LocalUnit>> {
        let mut found = BTreeMap::new();
        for (key, value) in self.entries(root, "`boards:` with boards below") {
            if key.text() != "boards" {
                self.unknown(key, "key", ["boards"]);
                continue;
            }
            for (id, units) in self.entries(value, "boards with their units") {
                self.check_board(id);
                let units = self.items(units).iter().map(|unit| self.unit(unit)).collect();
                found.insert(id.text().to_owned(), units);
            }
        }
        found
    }

    fn check_board(&mut self, id: &Node) {
        let on_desks = |board: &&Board| board.backend == Backend::Probe && board.emulator.is_none();
        match self.boards.iter().find(|board| board.id == id.text()) {
            Some(board) if on_desks(&board) => {}
            Some(_) => {
                let problem = format!("board `{}` is nothing that is plugged in", id.text());
                let help = "this file is about boards behind a real debug probe; this one needs no entry";
                self.report.add(id.place, problem, Some(help.to_owned()));
            }
            None => {
                let known = self.boards.iter().filter(on_desks).map(|board| board.id.as_str());
                self.unknown(id, "board", known.collect::<Vec<_>>());
            }
        }
    }

    fn unit(&mut self, node: &Node) -> LocalUnit {
        let mut unit = LocalUnit::default();
        for (key, value) in self.entries(node, "a unit, with any of probe_serial, usb_path, port and power") {
            match key.text() {
                "probe_serial" => unit.probe_serial = self.of_one("probe_serial", value),
                "usb_path" => unit.usb_path = self.of_one("usb_path", value),
                "port" => unit.port = self.port(value),
                "power" => unit.power = self.power(value),
                _ => self.unknown(key, "key", KEYS),
            }
        }
        unit
    }

    fn port(&mut self, value: &Node) -> Option<String> {
        let text = self.of_one("port", value)?;
        if let Err(error) = text.parse::<SerialAddress>() {
            self.report.add(value.place, error.to_string(), None);
        }
        Some(text)
    }

    fn power(&mut self, value: &Node) -> Vec<String> {
        if let Content::Text(_) = value.content {
            let help = "a command is a list of words: `[uhubctl, -a, cycle]`";
            self.wrong_kind(value, "a command", Some(help));
            return Vec::new();
        }
        let words = self.items(value).to_vec();
        words.iter().filter_map(|word| self.word(word)).collect()
    }

    /// A text that tells one unit from all others.
    fn of_one(&mut self, key: &'static str, value: &Node) -> Option<String> {
        let text = self.word(value)?;
        match self.taken.insert((key, text.clone()), value.place.line) {
            None => Some(text),
            Some(line) => {
                let problem = format!("`{key}: {text}` is another unit's, in line {line}");
                self.report.add(value.place, problem, None);
                None
            }
        }
    }

    fn word(&mut self, value: &Node) -> Option<String> {
        match &value.content {
            Content::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => {
                self.wrong_kind(value, "a text", None);
                None
            }
        }
    }

    /// The entries of a map, each key once. A key with nothing but comments below has none.
    fn entries<'n>(&mut self, node: &'n Node, expected: &str) -> &'n [(Node, Node)] {
        let Content::Map(entries) = &node.content else {
            if node.is_nothing() {
                return &[];
            }
            self.wrong_kind(node, expected, None);
            return &[];
        };
        for (at, (key, _)) in entries.iter().enumerate() {
            if entries[..at].iter().any(|(other, _)| other.text() == key.text()) {
                self.report.add(key.place, format!("`{}` a second time", key.text()), None);
            }
        }
        entries
    }

    fn items<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ if node.is_nothing() => &[],
            _ => {
                self.wrong_kind(node, "a list", Some("each entry begins with `- `"));
                &[]
            }
        }
    }

    fn wrong_kind(&mut self, node: &Node, expected: &str, help: Option<&str>) {
        let problem = format!("expected {expected}, found {}", node.kind());
        self.report.add(node.place, problem, help.map(str::to_owned));
    }

    fn unknown<'k>(&mut self, word: &Node, what: &str, known: impl IntoIterator<Item = &'k str>) {
        let help = suggestion(word.text(), known);
        self.report.add(word.place, format!("unknown {what} `{}`", word.text()), Some(help));
    }
}

#[cfg(test)]
mod tests;
