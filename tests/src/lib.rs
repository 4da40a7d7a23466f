//! What the whole-system tests share: the shipped scenarios, boards and firmware, found from this crate.

mod token;

use std::path::{Path, PathBuf};

use hilarm_board::{Backend, Board, Elf, qemu_binary, qemu_version};
use hilarm_scenario::ScenarioFile;

pub use token::token;

/// The root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All shipped scenarios, by id.
///
/// # Panics
/// When one does not parse: that is a failed test.
pub fn scenarios() -> Vec<ScenarioFile> {
    scenarios_of(&root())
}

/// All scenarios of a project, by id.
///
/// # Panics
/// When one does not parse.
pub fn scenarios_of(project: &Path) -> Vec<ScenarioFile> {
    let folder = project.join("scenarios");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    files.iter().map(|path| read(&folder, path)).collect()
}

/// The shipped scenario with this id.
///
/// # Panics
/// When there is none.
pub fn scenario(id: &str) -> ScenarioFile {
    let folder = root().join("scenarios");
    read(&folder, &folder.join(format!("{id}.yaml")))
}

fn read(folder: &Path, path: &Path) -> ScenarioFile {
    let source = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let id = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    hilarm_runner::read_scenario(id.to_string_lossy(), path, &source)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// All shipped boards, by id.
///
/// # Panics
/// When one does not parse.
pub fn boards() -> Vec<Board> {
    boards_of(&root())
}

/// All boards of a project, by id.
///
/// # Panics
/// When one does not parse.
pub fn boards_of(project: &Path) -> Vec<Board> {
    Board::list(&project.join("boards")).unwrap_or_else(|error| panic!("{error}"))
}

/// A board's firmware, or why there is none here. In CI there is no such reason: tests then fail.
pub fn firmware(board: &Board) -> Result<Option<Elf>, String> {
    let (Backend::Qemu | Backend::Probe, Some(firmware)) = (board.backend, &board.firmware) else {
        return Ok(None);
    };
    if qemu_version(&qemu_binary()).is_none() {
        return Err("no QEMU: `cargo xtask setup` installs it".to_owned());
    }
    let path = firmware.image(&root().join("target/firmware"));
    Elf::open(&path, &firmware.triple).map(Some).map_err(|error| error.to_string())
}

/// The board in QEMU and its firmware. Without them a test passes over, aloud, outside CI.
///
/// # Panics
/// When one is missing in CI.
pub fn qemu() -> Option<(Board, Elf)> {
    let board = boards().into_iter().find(|board| board.id == "qemu-mps2-an385")?;
    match firmware(&board) {
        Ok(elf) => elf.map(|elf| (board, elf)),
        Err(reason) => {
            assert!(!in_ci(), "CI must have QEMU and the firmware: {reason}");
            eprintln!("passed over: {reason}");
            None
        }
    }
}

/// Whether this is a CI run, where nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}
