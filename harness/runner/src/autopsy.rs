//! Leaves what was found out about a device that died where its run's journal and capture are.

use std::io;
use std::path::{Path, PathBuf};

use hilarm_board::Autopsy;

use crate::script::ScriptError;
use crate::world::WorldError;

const TEXT: &str = "autopsy.txt";
const JSON: &str = "autopsy.json";
/// Opens with probe-rs, on any machine.
const CORE_DUMP: &str = "core.dump";

/// What was found out about the device that ended the run, if one did.
pub(crate) fn of(error: Option<&ScriptError>) -> Option<&Autopsy> {
    match error {
        Some(ScriptError::World(WorldError::Device { autopsy, .. })) => autopsy.as_deref(),
        _ => None,
    }
}

/// Writes it as text, as JSON, and its core dump.
pub(crate) fn write(autopsy: &Autopsy, folder: &Path) -> io::Result<()> {
    std::fs::write(text_path(folder), autopsy.to_string())?;
    let json = serde_json::to_string_pretty(autopsy).map_err(io::Error::other)?;
    std::fs::write(folder.join(JSON), json + "\n")?;
    autopsy.core_dump.as_ref().map_or(Ok(()), |dump| std::fs::write(folder.join(CORE_DUMP), &dump.0))
}

/// Where people read it.
pub(crate) fn text_path(folder: &Path) -> PathBuf {
    folder.join(TEXT)
}
