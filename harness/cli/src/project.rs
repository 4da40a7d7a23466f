//! Where things are: boards, scenarios, built firmware, and the folder for what runs leave behind.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use hilarm_board::{Backend, Board, Elf, LocalBoards, QemuVersion, qemu_binary, qemu_version};
use hilarm_runner::Bench;
use hilarm_scenario::{ScenarioErrors, ScenarioFile};

use crate::say;
use crate::wrong_input::WrongInput;

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
                let text = format!("{} is no project: it holds no folder `boards`", root.display());
                return Err(WrongInput(text).into());
            }
            return Ok(Self { root: root.to_owned() });
        }
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        let found = here.ancestors().find(|at| at.join("boards").is_dir() && at.join("scenarios").is_dir());
        let root = found.ok_or_else(|| {
            let here = here.display();
            WrongInput(format!(
                "no `boards` and `scenarios` in {here} or above; name their folder with --project"
            ))
        })?;
        // Relative where possible: paths in reports are meant to be read.
        Ok(Self { root: if root == here { PathBuf::from(".") } else { root.to_owned() } })
    }

    /// Where the project is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn boards_folder(&self) -> PathBuf {
        tidy(&self.root.join("boards"))
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

    /// All scenario files at or below the paths; all of the project's when none is given. A file that is
    /// named twice is read once; two files with one id are refused.
    pub(crate) fn read_scenarios(&self, paths: &[PathBuf]) -> anyhow::Result<Vec<Read>> {
        let default = [self.scenarios_folder()];
        let mut files = Vec::new();
        for path in if paths.is_empty() { &default[..] } else { paths } {
            if !path.exists() {
                return Err(self.no_such_scenario(path).into());
            }
            collect(path, &mut files)?;
        }
        files.sort();
        let mut by_id: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut all = Vec::new();
        for path in files {
            let id = self.id_of(&path);
            match by_id.get(&id) {
                Some(other) if is_same_file(other, &path) => continue,
                Some(other) => return Err(duplicate_id(&id, other, &path).into()),
                None => by_id.insert(id.clone(), path.clone()),
            };
            all.push(read(id, path)?);
        }
        Ok(all)
    }

    fn no_such_scenario(&self, path: &Path) -> WrongInput {
        let mut files = Vec::new();
        // A folder that cannot be read has nothing to suggest.
        let _ = collect(&self.scenarios_folder(), &mut files);
        let plain = |path: &Path| path.with_extension("").to_string_lossy().replace('\\', "/");
        let written = plain(path);
        let alike = |file: &PathBuf| {
            let file = plain(file);
            let whole = strsim::normalized_damerau_levenshtein(&file, &written);
            let id = file.rsplit_once("scenarios/").map_or(file.as_str(), |(_, id)| id);
            whole.max(strsim::normalized_damerau_levenshtein(id, &written))
        };
        let nearest = files.iter().map(|file| (alike(file), file)).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = match nearest {
            Some((likeness, file)) if likeness > 0.7 => format!("; did you mean `{}`?", file.display()),
            _ => String::new(),
        };
        WrongInput(format!("no scenario file or folder `{}`{hint}", path.display()))
    }

    /// The id is the path below `scenarios/`, without its ending; elsewhere it is the file's name.
    fn id_of(&self, path: &Path) -> String {
        let folder = self.root.join("scenarios");
        let below = plain(path).strip_prefix(plain(&folder)).map(Path::to_owned).ok();
        let below = below.or_else(|| {
            let (path, folder) = (path.canonicalize().ok()?, folder.canonicalize().ok()?);
            path.strip_prefix(folder).map(Path::to_owned).ok()
        });
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
                    Err(reason) => say::err(format_args!("left out: board {}: {reason}", board.id)),
                }
            }
            return Ok(benches);
        }
        let first = |(at, name): &(usize, &String)| !names[..*at].contains(name);
        names
            .iter()
            .enumerate()
            .filter(first)
            .map(|(_, name)| {
                let board = Board::find(&folder, name)?;
                let image = self.firmware(&board, elf);
                Ok(Bench { board, elf: image })
            })
            .collect()
    }

    /// The firmware a board boots, or why it cannot be used here.
    pub(crate) fn firmware(&self, board: &Board, elf: Option<&Path>) -> Result<Option<Elf>, String> {
        let (Backend::Qemu | Backend::Probe, Some(firmware)) = (board.backend, &board.firmware) else {
            return Ok(None);
        };
        if let Some(least) = board.min_qemu_version() {
            check_qemu(least)?;
        }
        if board.backend == Backend::Probe {
            self.check_probe(board)?;
        }
        let built = tidy(&self.root).join("target/firmware");
        let path = elf.map_or_else(|| firmware.image(&built), Path::to_owned);
        Elf::open(&path, &firmware.triple).map(Some).map_err(|error| error.to_string())
    }

    /// What is plugged into this desk.
    pub(crate) fn local_boards(&self) -> anyhow::Result<LocalBoards> {
        Ok(LocalBoards::read(&self.root, &Board::list(&self.boards_folder())?)?)
    }

    #[cfg(feature = "probe")]
    fn check_probe(&self, board: &Board) -> Result<(), String> {
        let local = self.local_boards().map_err(|error| error.to_string())?;
        let units = local.units(&board.id);
        units
            .iter()
            .try_for_each(|unit| hilarm_board::probe::is_there(board, unit))
            .map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "probe"))]
    fn check_probe(&self, _board: &Board) -> Result<(), String> {
        Err("this build drives no debug probe; build it with the feature `probe`".to_owned())
    }
}

fn check_qemu(least: &str) -> Result<(), String> {
    let binary = qemu_binary();
    match (qemu_version(&binary), QemuVersion::parse(least)) {
        (None, _) => {
            let hint = "`cargo xtask setup` installs QEMU";
            Err(format!("`{binary}` does not run or tells no version; {hint}"))
        }
        (Some(found), Some(least)) if found < least => {
            Err(format!("QEMU {found} is too old, {least} or newer is needed"))
        }
        _ => Ok(()),
    }
}

fn read(id: String, path: PathBuf) -> anyhow::Result<Read> {
    let source = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(WrongInput(format!("{} is no scenario: not UTF-8 text", path.display())).into());
        }
        source => source.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let parsed = hilarm_runner::read_scenario(&id, &path, &source);
    Ok(Read { id, path, parsed })
}

fn duplicate_id(id: &str, one: &Path, other: &Path) -> WrongInput {
    let (one, other) = (one.display(), other.display());
    WrongInput(format!(
        "duplicate scenario id `{id}`: {one} and {other}; outside `scenarios/` a file's name is its id"
    ))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// The absolute path without `.` and `..`, links left alone.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
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
