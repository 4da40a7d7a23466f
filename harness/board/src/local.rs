//! `boards.local.yaml`: what is plugged into this desk. The file is nobody else's business, so it is not tracked,
//! and nothing here ever writes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::BoardError;

/// Name of the file, beside `boards/`.
pub const LOCAL_FILE: &str = "boards.local.yaml";

/// What is plugged into this desk, by board.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalBoards {
    #[serde(default)]
    boards: BTreeMap<String, Vec<LocalUnit>>,
}

/// One board on the desk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalUnit {
    /// Serial number of its debug probe.
    #[serde(default)]
    pub probe_serial: Option<String>,
    /// USB path of its debug probe's socket, `1-4.2`.
    #[serde(default)]
    pub usb_path: Option<String>,
    /// Its serial line: a path, `usb:0483:374b`, `tcp:host:port` or `rfc2217:host:port`.
    #[serde(default)]
    pub port: Option<String>,
    /// The command that switches its power off and on again.
    #[serde(default)]
    pub power: Vec<String>,
}

impl LocalBoards {
    /// Reads the file of a project. Without one nothing is named, and a lone board is still found.
    pub fn read(project: &Path) -> Result<Self, BoardError> {
        let path = project.join(LOCAL_FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| BoardError::Unreadable { path: path.clone(), error })?,
        };
        serde_yaml::from_str(&text).map_err(|error| BoardError::Invalid { path, message: error.to_string() })
    }

    /// The units of a board: those that the file names, or one of which nothing is known.
    pub fn units(&self, board: &str) -> Vec<LocalUnit> {
        match self.boards.get(board) {
            Some(units) if !units.is_empty() => units.clone(),
            _ => vec![LocalUnit::default()],
        }
    }

    /// Ids of the boards that the file names.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.boards.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LocalBoards, BoardError> {
        let project = tempfile::tempdir().unwrap();
        std::fs::write(project.path().join(LOCAL_FILE), text).unwrap();
        LocalBoards::read(project.path())
    }

    #[test]
    fn a_desk_with_two_boards_of_one_kind_has_two_units() {
        let local = read(
            "boards:\n  nucleo:\n  - { probe_serial: A, port: /dev/ttyACM0, power: [uhubctl, -a, cycle] }\n  \
             - { usb_path: 1-4.2 }\n",
        )
        .unwrap();
        let units = local.units("nucleo");
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].power, ["uhubctl", "-a", "cycle"]);
        assert_eq!(units[1].usb_path.as_deref(), Some("1-4.2"));
        assert_eq!(local.ids().collect::<Vec<_>>(), ["nucleo"]);
    }

    #[test]
    fn without_a_file_there_may_be_one_board_of_each_kind() {
        let project = tempfile::tempdir().unwrap();
        let local = LocalBoards::read(project.path()).unwrap();
        assert_eq!(local.units("nucleo"), [LocalUnit::default()]);
    }

    #[test]
    fn a_misspelt_key_is_told_with_its_place() {
        let error = read("boards:\n  nucleo:\n  - { probe_serail: A }\n").unwrap_err().to_string();
        assert!(error.contains("boards.local.yaml") && error.contains("probe_serail"), "{error}");
        assert!(error.contains("line 3"), "{error}");
    }
}
