//! `hilarm boards check --attest`: what was shown of a board, with what, and when. Only what really ran is written,
//! and an emulator is called one.

use std::path::PathBuf;

use anyhow::Context;
use hilarm_board::{Backend, Board, Elf, qemu_binary, qemu_version};
use hilarm_runner::Checkup;
use serde_json::{Map, Value, json};

use super::check::milliseconds;
use crate::commit::Commit;
use crate::project::Project;

/// Folder of evidence below the boards' own.
const FOLDER: &str = "evidence";
/// What this binary was built of: probe-rs does not tell its version.
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// What was shown of one board.
pub(super) struct Evidence {
    board: String,
    text: String,
}

impl Evidence {
    /// Of what ran just now; an error says why there is nothing to attest.
    pub(super) fn of(
        project: &Project,
        board: &Board,
        elf: Option<&Elf>,
        checkups: &[Checkup],
    ) -> Result<Self, &'static str> {
        let elf = elf.filter(|_| board.backend != Backend::Sim).ok_or("it runs no firmware")?;
        let ran: Vec<Value> =
            checkups.iter().filter(|checkup| !checkup.stages.is_empty()).map(unit).collect();
        if ran.is_empty() {
            return Err("nothing of it ran");
        }
        let emulator = board.min_qemu_version().and_then(|_| qemu_version(&qemu_binary()));
        let pass = ran.len() == checkups.len() && ran.iter().all(|unit| unit["verdict"] == "pass");
        let probe_rs = (board.backend == Backend::Probe).then(|| locked_version("probe-rs"));
        let evidence = json!({
            "schema": 1,
            "board": board.id,
            "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            "silicon": board.min_qemu_version().is_none(),
            "emulator": emulator.map(|version| format!("QEMU {version}")),
            "verdict": if pass { "pass" } else { "infra" },
            "chip": board.chip,
            "elf_sha256": elf.sha256(),
            "versions": {
                "hilarm": env!("CARGO_PKG_VERSION"),
                "commit": Commit::checked_out(project.root()).map(|commit| commit.to_string()),
                "probe_rs": probe_rs,
            },
            "units": ran,
        });
        Ok(Self { board: board.id.clone(), text: format!("{evidence:#}\n") })
    }

    /// Writes it to `boards/evidence/<id>.json`.
    pub(super) fn write(&self, project: &Project) -> anyhow::Result<PathBuf> {
        let folder = project.boards_folder().join(FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join(format!("{}.json", self.board));
        std::fs::write(&path, &self.text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// What one unit of a board did.
pub(super) fn unit(checkup: &Checkup) -> Value {
    let stages: Vec<Value> = checkup
        .stages
        .iter()
        .map(|stage| {
            let note = if stage.note.is_empty() { Value::Null } else { stage.note.into() };
            json!({ "stage": stage.name, "ms": milliseconds(stage.took), "note": note })
        })
        .collect();
    let chip: Map<String, Value> =
        checkup.chip.iter().map(|(name, value)| (name.clone(), format!("{value:#010x}").into())).collect();
    let firmware = checkup.firmware.as_ref();
    json!({
        "verdict": if checkup.fault.is_some() { "infra" } else { "pass" },
        "fault": checkup.fault,
        "probe": checkup.probe,
        "chip_as_read": chip,
        "firmware": firmware.map(|(target, version)| json!({ "target": target, "version": version })),
        "stages": stages,
        "log_lines": checkup.log_lines,
    })
}

/// The version of a crate in the lock file.
fn locked_version(name: &str) -> Option<&'static str> {
    let package = LOCK.split("[[package]]").find(|package| {
        package
            .lines()
            .any(|line| line.strip_prefix("name = ").is_some_and(|rest| rest.trim_matches('"') == name))
    })?;
    package.lines().find_map(|line| line.strip_prefix("version = ")).map(|version| version.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_knows_what_probe_rs_this_is() {
        assert!(locked_version("probe-rs").is_some_and(|version| version.starts_with("0.32")));
        assert_eq!(locked_version("no-such-crate"), None);
    }
}
