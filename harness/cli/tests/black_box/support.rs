//! A project folder that only this test knows, and the binary run in it within bounds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SAS_EXPIRED: &str = "device/sas-expired";
pub(crate) const TEN_MINUTES: &str = "benign/ten-minutes";
pub(crate) const QEMU_BOARD: &str = "qemu-mps2-an385";

/// A folder with the shipped boards and some of the shipped scenarios.
pub(crate) struct Project {
    folder: TempDir,
}

/// How the binary ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// With these scenarios and their snapshots.
    pub(crate) fn new(ids: &[&str]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        let shipped = hilarm_tests::root();
        for board in fs::read_dir(shipped.join("boards")).unwrap() {
            let path = board.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            project.write(&format!("boards/{name}"), fs::read_to_string(&path).unwrap());
        }
        fs::create_dir_all(project.path("scenarios")).unwrap();
        for id in ids {
            let snapshot = format!("scenarios/snapshots/{}.snap", id.replace('/', "__"));
            for file in [format!("scenarios/{id}.yaml"), snapshot] {
                project.write(&file, fs::read_to_string(shipped.join(&file)).unwrap());
            }
        }
        project
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    pub(crate) fn write(&self, below: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Changes a file: the text must be there.
    pub(crate) fn replace(&self, below: &str, from: &str, to: &str) {
        let text = self.read(below);
        assert!(text.contains(from), "{below} holds no `{from}`");
        self.write(below, text.replace(from, to));
    }

    /// A shell script that stands in for QEMU; `--version` is answered by the real one.
    pub(crate) fn qemu_script(&self, body: &str) -> PathBuf {
        self.script(&format!("[ \"$1\" = --version ] && exec qemu-system-arm --version\n{body}"))
    }

    /// A shell script.
    pub(crate) fn script(&self, body: &str) -> PathBuf {
        self.write("qemu.sh", format!("#!/bin/sh\n{body}\n"));
        let path = self.path("qemu.sh");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The binary in this folder, with nothing of the developer's or CI's environment that matters to it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hilarm"));
        command.args(arguments).current_dir(self.folder.path());
        for name in ["CI", "HILARM_QEMU", "INSTA_UPDATE", "INSTA_FORCE_PASS", "NO_COLOR", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        // What a killed run leaves behind goes with the project.
        command.env("TMPDIR", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn hilarm(&self, arguments: &[&str]) -> Outcome {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// The built firmware as `firmware.elf` in this folder, so that processes which run it can be told apart.
    /// Without QEMU or firmware a test passes over, outside CI.
    pub(crate) fn firmware(&self) -> Option<String> {
        let (_, elf) = hilarm_tests::qemu()?;
        self.write("firmware.elf", fs::read(elf.path()).unwrap());
        Some(self.path("firmware.elf").to_string_lossy().into_owned())
    }

    /// The journals of all runs so far.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(".hilarm/runs")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with("journal.jsonl") {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Outcome {
    /// Both outputs, for messages whose place is not the point.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Holds the outcome to an exit code and to words in its outputs; a panic is never among them.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.text().contains(word), "no `{word}` in\n{self}");
        }
        assert!(!self.text().contains("panicked at"), "{self}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A binary that the test goes on beside; it does not outlive the test.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: Some(command.spawn().unwrap()) }
    }

    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child.as_mut().unwrap().stdout.take().unwrap()
    }

    pub(crate) fn signal(&self, what: Signal) {
        signal(self.child.as_ref().unwrap().id(), what);
    }

    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        finish(self.child.take().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A failed test is being unwound; that its child is gone already is no second failure.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for the end, within bounds.
#[track_caller]
pub(crate) fn finish(child: Child) -> Outcome {
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        signal(pid, Signal::KILL);
        panic!("hilarm did not end within {PATIENCE:?}");
    };
    outcome(output.unwrap())
}

fn outcome(output: Output) -> Outcome {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Looks again and again until something is there.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Processes with `path` among their arguments.
pub(crate) fn processes_with(path: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let folder = entry.unwrap().path();
        let Some(pid) = folder.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        // It may be gone by now.
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|argument| argument == path.as_bytes()) && !is_hilarm(&folder) {
            found.push(pid);
        }
    }
    found
}

fn is_hilarm(process: &Path) -> bool {
    fs::read_link(process.join("exe")).is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_hilarm")))
}
