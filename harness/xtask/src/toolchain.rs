//! A compiler for the firmware's processors. Three ways, in this order:
//! 1. their triples are in the sysroot already;
//! 2. rustup adds what is missing;
//! 3. Debian's `rustc-web`, `cargo-web` and `rust-web-src` build `core` and `alloc` from source, for
//!    machines where rustup cannot download.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::consent::Consent;
use crate::firmware::TRIPLES;
use crate::packages::Manager;
use crate::process;

/// `rust-version` of the workspace.
const OLDEST_RUSTC: (u32, u32) = (1, 91);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(120);
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";

/// How the firmware gets compiled here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The default toolchain holds the triples.
    Sysroot,
    /// Debian's compiler builds the standard library's core too.
    Debian {
        /// What links.
        linker: Linker,
    },
}

/// A linker for bare-metal Arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Linker {
    /// `rust-lld` in this folder, which goes to the front of `PATH`.
    RustLld(PathBuf),
    /// LLVM's own, of Debian's package lld.
    LdLld,
}

/// Finds a way, and opens one where there is none and the user agrees.
pub(crate) fn prepare(consent: Consent) -> Result<Way> {
    let sysroot = sysroot();
    let missing = missing_in(sysroot.as_deref());
    if missing.is_empty() {
        return Ok(Way::Sysroot);
    }
    let rustup = process::output_of("rustup", &["--version"]).is_some();
    if rustup && add_by_rustup(consent, &missing) {
        return Ok(Way::Sysroot);
    }
    match debian(consent, sysroot.as_deref()) {
        Ok(linker) => Ok(Way::Debian { linker }),
        Err(error) if rustup => {
            Err(error.context(format!("`{}` did not work either", rustup_line(&missing))))
        }
        Err(error) => Err(error),
    }
}

/// The folder of the toolchain in use.
fn sysroot() -> Option<PathBuf> {
    process::output_of("rustc", &["--print", "sysroot"]).map(PathBuf::from)
}

/// The triples that a toolchain lacks.
fn missing_in(sysroot: Option<&Path>) -> Vec<&'static str> {
    let lacks = |triple: &&str| !sysroot.is_some_and(|sysroot| has_triple(sysroot, triple));
    TRIPLES.into_iter().filter(lacks).collect()
}

fn rustup_line(missing: &[&str]) -> String {
    format!("rustup target add {}", missing.join(" "))
}

fn has_triple(sysroot: &Path, triple: &str) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(triple).join("lib");
    let core = |name: &str| name.starts_with("libcore-") && name.ends_with(".rlib");
    std::fs::read_dir(libraries).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| core(&entry.file_name().to_string_lossy())))
    })
}

fn add_by_rustup(consent: Consent, missing: &[&str]) -> bool {
    let line = rustup_line(missing);
    if !consent.given_for(&format!("the firmware's triples are missing; add them: {line}")) {
        return false;
    }
    let mut rustup = Command::new("rustup");
    // A failed download is no defect of rustup: no backtrace.
    rustup.args(["target", "add"]).args(missing).env_remove("RUST_BACKTRACE");
    let added = process::run_within(&mut rustup, DOWNLOAD_LIMIT);
    match added {
        Ok(status) if status.success() => missing_in(sysroot().as_deref()).is_empty(),
        Ok(status) => {
            println!("xtask: rustup could not add them ({status})");
            false
        }
        Err(error) => {
            println!("xtask: rustup could not add them: {error:#}");
            false
        }
    }
}

fn debian(consent: Consent, sysroot: Option<&Path>) -> Result<Linker> {
    let mut missing: Vec<&str> = Vec::new();
    if !debian_compiler_is_ready() {
        missing.extend(DEBIAN_PACKAGES);
    }
    let linker = linker(sysroot);
    if linker.is_none() {
        missing.push("lld");
    }
    if !missing.is_empty() {
        if Manager::detect() != Some(Manager::Apt) {
            bail!("no compiler for {}; get one by `{}`", TRIPLES.join(", "), rustup_line(&TRIPLES));
        }
        let line = Manager::Apt.install_line(&missing);
        if !consent
            .given_for(&format!("the firmware is to be built with Debian's compiler; install it: {line}"))
        {
            let triples = TRIPLES.join(", ");
            bail!("no compiler for {triples}; get one by `{line}`, or let `cargo xtask setup --yes` do it");
        }
        Manager::Apt.install(&missing)?;
    }
    if !debian_compiler_is_ready() {
        let (major, minor) = OLDEST_RUSTC;
        bail!("{DEBIAN_RUSTC} with its source must be {major}.{minor} or newer, and is not");
    }
    linker.or_else(|| self::linker(sysroot)).context("no linker for bare-metal Arm after installing lld")
}

fn debian_compiler_is_ready() -> bool {
    let version = process::output_of(DEBIAN_RUSTC, &["--version"]).and_then(|text| parse_version(&text));
    version.is_some_and(|version| version >= OLDEST_RUSTC)
        && Path::new(DEBIAN_CARGO).exists()
        && Path::new(DEBIAN_SOURCE).exists()
}

/// From `rustc 1.96.0 (...)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn linker(sysroot: Option<&Path>) -> Option<Linker> {
    let bundled =
        sysroot.zip(host()).map(|(sysroot, host)| sysroot.join("lib/rustlib").join(host).join("bin"));
    let folders = bundled
        .into_iter()
        .chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect::<Vec<_>>());
    for folder in folders {
        if folder.join("rust-lld").is_file() {
            return Some(Linker::RustLld(folder));
        }
    }
    process::output_of("ld.lld", &["--version"]).map(|_| Linker::LdLld)
}

/// The host's triple, e.g. `x86_64-unknown-linux-gnu`.
fn host() -> Option<String> {
    let verbose = process::output_of("rustc", &["--version", "--verbose"])?;
    verbose.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_string)
}

impl Way {
    /// What is said to the user.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Sysroot => format!("the toolchain's own {}", TRIPLES.join(", ")),
            Self::Debian { .. } => {
                format!("Debian's compiler, building core and alloc for {}", TRIPLES.join(", "))
            }
        }
    }

    /// `cargo` that compiles for the firmware's processor, to be run in the firmware's workspace.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Sysroot => {
                let mut cargo = Command::new("cargo");
                forget_outer_cargo(&mut cargo);
                cargo
            }
            Self::Debian { linker } => debian_cargo(linker),
        }
    }

    /// What cargo needs to be told besides the target.
    pub(crate) fn flags(&self) -> &'static [&'static str] {
        match self {
            Self::Sysroot => &[],
            Self::Debian { .. } => &["-Zbuild-std=core,alloc"],
        }
    }
}

fn debian_cargo(linker: &Linker) -> Command {
    let mut cargo = Command::new(DEBIAN_CARGO);
    forget_outer_cargo(&mut cargo);
    // Building the standard library is a nightly feature of cargo, which this variable opens.
    cargo.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
    match linker {
        Linker::RustLld(folder) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
            // A folder whose name cannot stand in PATH leaves PATH as it is; the linker's absence then shows.
            if let Ok(path) = std::env::join_paths(folders) {
                cargo.env("PATH", path);
            }
        }
        Linker::LdLld => {
            for triple in TRIPLES {
                cargo.env(linker_variable(triple), "ld.lld");
            }
        }
    }
    cargo
}

/// Cargo's variable for the linker of a triple.
fn linker_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace(['-', '.'], "_"))
}

/// What the cargo that runs this program says about itself must not reach another one. Flags for the host's
/// compiler would displace the linker script of the firmware.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let outer = [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTC",
        ];
        if outer.contains(&name.as_ref())
            || name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_BUILD_")
        {
            command.env_remove(name.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_compiler_are_read() {
        assert_eq!(parse_version("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some((1, 96)));
        assert_eq!(parse_version("rustc 1.97.0-nightly"), Some((1, 97)));
        assert_eq!(parse_version("rustc"), None);
    }

    #[test]
    fn a_folder_without_libraries_holds_no_target() {
        assert_eq!(missing_in(Some(Path::new(env!("CARGO_MANIFEST_DIR")))), TRIPLES);
        assert_eq!(missing_in(None), TRIPLES);
    }

    #[test]
    fn the_linkers_variable_is_spelt_as_cargo_reads_it() {
        assert_eq!(
            linker_variable("thumbv8m.main-none-eabihf"),
            "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABIHF_LINKER"
        );
    }

    #[test]
    fn only_debians_way_builds_the_standard_library() {
        let debian = Way::Debian { linker: Linker::LdLld };
        assert_eq!(debian.flags(), ["-Zbuild-std=core,alloc"]);
        assert!(Way::Sysroot.flags().is_empty());
        assert_eq!(debian.cargo().get_program(), DEBIAN_CARGO);
    }
}
