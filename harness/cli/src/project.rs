//! Where things are: boards, scenarios, built firmware, and the folder for what runs leave behind.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilarm_board::{Backend, Board, Elf, QemuVersion, qemu_binary, qemu_version};
use hilarm_runner::Bench;
use hilarm_scenario::{ScenarioErrors, ScenarioFile};

/// Runs kept under `.hilarm/runs`; older ones are removed.
const RUNS_KEPT: usize = 20;

/// A folder with `boards/` and `scenarios/`.
pub(crate) struct Project {
    root: PathBuf,
}

/// A scenario file as read, or what is wrong with it.
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    pub(crate) parsed: Result<ScenarioFile, ScenarioErrors>,
}

impl Project {
    pub(crate) fn find(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(root) = given {
            if !root.join("boards").is_dir() {
                bail!("{} holds no folder `boards`", root.display());
            }
            return Ok(Self { root: root.to_owned() });
        }
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        let found = here.ancestors().find(|at| at.join("boards").is_dir() && at.join("scenarios").is_dir());
        let root = found.with_context(|| {
            format!(
                "no `boards` and `scenarios` in {} or above; name their folder with --project",
                here.display()
            )
        })?;
        // Relative where possible: paths in reports are meant to be read.
        Ok(Self { root: if root == here { PathBuf::from(".") } else { root.to_owned() } })
    }

    pub(crate) fn boards_folder(&self) -> PathBuf {
        self.root.join("boards")
    }

    pub(crate) fn scenarios_folder(&self) -> PathBuf {
        tidy(&self.root.join("scenarios"))
    }

    pub(crate) fn snapshots_folder(&self) -> PathBuf {
        self.root.join("scenarios/snapshots")
    }

    /// Folder for what runs leave behind.
    pub(crate) fn state_folder(&self) -> PathBuf {
        self.root.join(".hilarm")
    }

    /// A new folder for one run; the oldest are removed.
    pub(crate) fn new_run_folder(&self) -> anyhow::Result<PathBuf> {
        let runs = self.state_folder().join("runs");
        std::fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        let mut old: Vec<PathBuf> = std::fs::read_dir(&runs)
            .with_context(|| format!("cannot read {}", runs.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        old.sort();
        for path in old.iter().take(old.len().saturating_sub(RUNS_KEPT - 1)) {
            // A run that another process is still writing may stay.
            let _ = std::fs::remove_dir_all(path);
        }
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let folder = runs.join(format!("{stamp}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(tidy(&folder))
    }

    /// All scenario files at or below the paths; all of the project's when none is given.
    pub(crate) fn read_scenarios(&self, paths: &[PathBuf]) -> anyhow::Result<Vec<Read>> {
        let default = [self.scenarios_folder()];
        let mut files = Vec::new();
        for path in if paths.is_empty() { &default[..] } else { paths } {
            collect(path, &mut files)?;
        }
        files.sort();
        files.dedup();
        files.into_iter().map(|path| self.read(path)).collect()
    }

    fn read(&self, path: PathBuf) -> anyhow::Result<Read> {
        let source =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let id = self.id_of(&path);
        let parsed = hilarm_scenario::parse(&id, &path, &source);
        Ok(Read { id, path, parsed })
    }

    /// The id is the path below `scenarios/`, without its ending.
    fn id_of(&self, path: &Path) -> String {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (file, folder) = (absolute(path), absolute(&self.root).join("scenarios"));
        let file = file.components().collect::<PathBuf>();
        let folder: PathBuf = folder.components().filter(|part| part.as_os_str() != ".").collect();
        let below = file.strip_prefix(&folder).map(Path::to_owned).ok();
        let id = below.or_else(|| path.file_name().map(PathBuf::from)).unwrap_or_default();
        id.with_extension("").to_string_lossy().replace('\\', "/")
    }

    /// The boards asked for. Without names: every board that can be used here, and a word about the others.
    pub(crate) fn benches(&self, names: &[String], elf: Option<&Path>) -> anyhow::Result<Vec<Bench>> {
        let folder = self.boards_folder();
        if names.is_empty() {
            let mut benches = Vec::new();
            for board in Board::list(&folder)? {
                match self.firmware(&board, elf) {
                    Ok(image) => benches.push(Bench { board, elf: Ok(image) }),
                    Err(reason) => eprintln!("left out: board {}: {reason}", board.id),
                }
            }
            return Ok(benches);
        }
        names
            .iter()
            .map(|name| {
                let board = Board::find(&folder, name)?;
                let image = self.firmware(&board, elf);
                Ok(Bench { board, elf: image })
            })
            .collect()
    }

    /// The firmware a board boots, or why it cannot be used here.
    pub(crate) fn firmware(&self, board: &Board, elf: Option<&Path>) -> Result<Option<Elf>, String> {
        let (Backend::Qemu, Some(firmware), Some(qemu)) = (board.backend, &board.firmware, &board.qemu)
        else {
            return Ok(None);
        };
        let binary = qemu_binary();
        match (qemu_version(&binary), QemuVersion::parse(&qemu.min_version)) {
            (None, _) => {
                return Err(format!("`{binary}` cannot be run; `cargo xtask setup` installs QEMU"));
            }
            (Some(found), Some(least)) if found < least => {
                return Err(format!("QEMU {found} is too old, {least} or newer is needed"));
            }
            _ => {}
        }
        let built = self.root.join("target/firmware").join(&firmware.triple).join("release");
        let path = elf.map_or(built.join(&firmware.target), Path::to_owned);
        Elf::open(&path, &firmware.triple).map(Some).map_err(|error| error.to_string())
    }
}

/// The path without a leading `./`.
fn tidy(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or(path.to_owned(), Path::to_owned)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_file() {
        files.push(tidy(path));
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", path.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(tidy(&path));
        }
    }
    Ok(())
}
