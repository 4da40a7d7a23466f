//! Packages of the system: Debian's apt and Homebrew.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// A package manager that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Debian and its relatives.
    Apt,
    /// Homebrew.
    Brew,
}

impl Manager {
    /// The one that works here.
    pub(crate) fn detect() -> Option<Self> {
        if Path::new("/etc/debian_version").exists()
            && process::output_of("apt-get", &["--version"]).is_some()
        {
            return Some(Self::Apt);
        }
        process::output_of("brew", &["--version"]).map(|_| Self::Brew)
    }

    /// The command line that a person would type.
    pub(crate) fn install_line(self, packages: &[&str]) -> String {
        let packages = packages.join(" ");
        match self {
            Self::Apt => format!("{}apt-get install {packages}", if is_root() { "" } else { "sudo " }),
            Self::Brew => format!("brew install {packages}"),
        }
    }

    /// Installs packages. The index is refreshed first: a stale one names versions that are too old, or gone.
    pub(crate) fn install(self, packages: &[&str]) -> Result<()> {
        match self {
            Self::Brew => process::must_run(Command::new("brew").arg("install").args(packages)),
            Self::Apt => {
                let refreshed = process::must_run(as_root("apt-get").arg("update"));
                if let Some(unknown) = packages.iter().find(|package| !is_in_apt_index(package)) {
                    refreshed?;
                    bail!("this release of Debian has no package {unknown}");
                }
                apt_install(packages)
            }
        }
    }
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let mut command = as_root("apt-get");
    command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    process::must_run(&mut command)
}

/// A candidate version is known, and some source offers it.
fn is_in_apt_index(package: &str) -> bool {
    process::output_of("apt-cache", &["policy", package]).is_some_and(|policy| has_candidate(&policy))
}

fn has_candidate(policy: &str) -> bool {
    policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate:"))
        .any(|version| version.trim() != "(none)")
}

fn is_root() -> bool {
    process::output_of("id", &["-u"]).as_deref() == Some("0")
}

/// The command itself for root, by sudo for others.
fn as_root(program: &str) -> Command {
    let mut command = if is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("sudo");
        command.args(["DEBIAN_FRONTEND=noninteractive", program]);
        command
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::has_candidate;

    #[test]
    fn an_unknown_package_has_no_candidate() {
        assert!(has_candidate("lld:\n  Installed: (none)\n  Candidate: 1:14.0-55.7\n"));
        assert!(!has_candidate("lld:\n  Installed: (none)\n  Candidate: (none)\n"));
        assert!(!has_candidate(""));
    }
}
