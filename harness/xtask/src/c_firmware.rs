//! Builds the example firmware in C (`firmware/examples/c-lwip`). Its two libraries come as Debian's source
//! packages, checked by apt like any package, and stay outside the repository, as does all that is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::consent::Consent;
use crate::packages::Manager;
use crate::process;
use crate::workspace;

const FETCH_LIMIT: Duration = Duration::from_secs(300);
const COMPILER: &str = "arm-none-eabi-gcc";
const PACKAGES: [&str; 3] = ["gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "make"];
const IMAGES: [&str; 3] = ["c-lwip.elf", "c-lwip-never-renews.elf", "c-lwip-linked.elf"];

/// A library, and the versions that the example was written for.
struct Library {
    package: &'static str,
    version: &'static str,
}

const LWIP: Library = Library { package: "lwip", version: "2.1." };
const MBEDTLS: Library = Library { package: "mbedtls", version: "2.28." };

/// Makes sure of compiler and sources, builds, and tells where the images are.
pub(crate) fn build(consent: Consent) -> Result<Vec<PathBuf>> {
    prepare_compiler(consent)?;
    let lwip = LWIP.source(consent)?;
    let mbedtls = MBEDTLS.source(consent)?;
    let out = workspace::target().join("firmware/c-lwip");
    let started = Instant::now();
    let mut make = Command::new("make");
    make.arg("--silent").arg(format!("--jobs={}", cores())).arg("--directory");
    make.arg(workspace::firmware().join("examples/c-lwip"));
    for (name, folder) in [("LWIP", &lwip), ("MBEDTLS", &mbedtls), ("OUT", &out)] {
        make.arg(format!("{name}={}", folder.display()));
    }
    process::must_run(&mut make)?;
    println!("xtask: the firmware in C is ready after {:.1} s", started.elapsed().as_secs_f32());
    Ok(IMAGES.iter().map(|image| out.join(image)).collect())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn prepare_compiler(consent: Consent) -> Result<()> {
    if has_compiler() {
        return Ok(());
    }
    let Some(manager @ Manager::Apt) = Manager::detect() else {
        bail!("{COMPILER} with newlib, and make, are missing");
    };
    let line = manager.install_line(&PACKAGES);
    if !consent.given_for(&format!("{COMPILER} with newlib, or make, is missing; install them: {line}")) {
        bail!("{COMPILER} with newlib, or make, is missing; `{line}` installs them");
    }
    manager.install(&PACKAGES)?;
    if !has_compiler() {
        bail!("{COMPILER} is still missing after `{line}`");
    }
    Ok(())
}

/// A compiler without a C library names the file as it was asked for it, without a folder.
fn has_compiler() -> bool {
    let library = process::output_of(COMPILER, &["-mcpu=cortex-m3", "-mthumb", "-print-file-name=libc.a"]);
    library.is_some_and(|path| Path::new(&path).is_absolute())
        && process::output_of("make", &["--version"]).is_some()
}

impl Library {
    /// The unpacked sources; fetched where they are not there yet.
    fn source(&self, consent: Consent) -> Result<PathBuf> {
        let folder = workspace::target().join("c-sources").join(self.package);
        let complete = folder.join(".complete");
        if !complete.is_file() {
            let what = format!("fetch the sources of {} from this system's Debian archive", self.package);
            if !consent.given_for(&what) {
                bail!("the sources of {} are not here", self.package);
            }
            // Left over from a try that was interrupted.
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
            self.fetch(&folder)?;
            fs::write(&complete, "").with_context(|| format!("failed to write {}", complete.display()))?;
        }
        Ok(folder)
    }

    fn fetch(&self, folder: &Path) -> Result<()> {
        let apt = Apt::new()?;
        // One vendor without sources fails the whole update; what matters is whether the next call finds any.
        if let Err(reason) = apt.run(folder, &["update"]) {
            println!("xtask: {reason:#}");
        }
        apt.run(folder, &["source", "--download-only", self.package])?;
        let archive = self.archive(folder)?;
        let mut tar = Command::new("tar");
        tar.arg("--extract").arg("--strip-components=1").arg("--file").arg(&archive);
        process::must_run(tar.arg("--directory").arg(folder))
    }

    /// The upstream archive among what apt fetched.
    fn archive(&self, folder: &Path) -> Result<PathBuf> {
        let prefix = format!("{}_", self.package);
        for entry in fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(version) = name.strip_prefix(&prefix).filter(|rest| rest.contains(".orig.tar")) else {
                continue;
            };
            if !version.starts_with(self.version) {
                bail!("{name} is not {} {}x, which the example was written for", self.package, self.version);
            }
            return Ok(path);
        }
        bail!("apt fetched no sources of {}", self.package)
    }
}

/// An apt of our own beside the system's: same archives and keys, but sources, and lists in the build folder. It
/// needs no rights and changes nothing of the system's.
struct Apt {
    state: PathBuf,
}

impl Apt {
    fn new() -> Result<Self> {
        if Manager::detect() != Some(Manager::Apt) {
            bail!("the sources of lwIP and Mbed TLS come from Debian's archive, and this system has no apt");
        }
        let state = workspace::target().join("c-sources/apt");
        for part in ["parts", "lists/partial", "cache/archives/partial"] {
            let folder = state.join(part);
            fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        }
        let mut any = false;
        for path in system_sources() {
            let text =
                fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
            let Some(name) = path.file_name() else { continue };
            let sources = as_sources(&text);
            any |= !sources.is_empty();
            fs::write(state.join("parts").join(name), sources).context("failed to write apt's sources")?;
        }
        if !any {
            bail!("this system's apt knows no Debian archive");
        }
        Ok(Self { state })
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let mut apt = Command::new("apt-get");
        apt.current_dir(folder).arg("--quiet");
        for (option, part) in
            [("Dir::Etc::sourceparts", "parts"), ("Dir::State::lists", "lists"), ("Dir::Cache", "cache")]
        {
            apt.arg("-o").arg(format!("{option}={}", self.state.join(part).display()));
        }
        apt.args(["-o", "Dir::Etc::sourcelist=/dev/null"]).args(arguments);
        let status = process::run_within(&mut apt, FETCH_LIMIT)?;
        if !status.success() {
            bail!("apt-get {} failed ({status})", arguments.join(" "));
        }
        Ok(())
    }
}

/// The system's own lists of archives, in either form.
fn system_sources() -> Vec<PathBuf> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten();
    let parts = parts.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let known =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "sources" || ending == "list");
    let list = PathBuf::from("/etc/apt/sources.list");
    parts.filter(known).chain(list.is_file().then_some(list)).collect()
}

/// The same entries, for sources.
fn as_sources(text: &str) -> String {
    let line = |line: &str| match line.split_once([' ', '\t']) {
        Some(("Types:", _)) => Some("Types: deb-src".to_owned()),
        Some(("deb", rest)) => Some(format!("deb-src {rest}")),
        Some(("deb-src", _)) => None,
        _ => Some(line.to_owned()),
    };
    let kept: Vec<String> = text.lines().filter_map(line).filter(|line| !line.starts_with('#')).collect();
    let mut all = kept.join("\n");
    all.truncate(all.trim_end().len());
    if all.is_empty() { all } else { all + "\n" }
}

#[cfg(test)]
mod tests {
    use super::as_sources;

    #[test]
    fn both_forms_of_entries_become_sources() {
        let deb822 = "Types: deb\n# a remark\nURIs: http://archive.test\nSuites: x\nComponents: main\n";
        let expected = "Types: deb-src\nURIs: http://archive.test\nSuites: x\nComponents: main\n";
        assert_eq!(as_sources(deb822), expected);
        let lines = "deb [signed-by=/k] http://archive.test x main\ndeb-src http://archive.test x main\n";
        assert_eq!(as_sources(lines), "deb-src [signed-by=/k] http://archive.test x main\n");
        assert_eq!(as_sources("# nothing\n\n"), "");
    }
}
