//! QEMU for Arm: is it here, is it new enough, can it be had?

use anyhow::{Result, bail};

use crate::consent::Consent;
use crate::packages::Manager;
use crate::process;

/// The first version with `-netdev dgram`, which carries the virtual network's frames.
const OLDEST: (u32, u32) = (7, 2);

const PROGRAM: &str = "qemu-system-arm";

/// Makes sure that QEMU is here; says what it does.
pub(crate) fn prepare(consent: Consent) -> Result<()> {
    if let Some(version) = installed_version() {
        return check(version);
    }
    let Some(manager) = Manager::detect() else {
        bail!("{PROGRAM} is missing; install QEMU {}.{} or newer", OLDEST.0, OLDEST.1);
    };
    let package = match manager {
        Manager::Apt => "qemu-system-arm",
        Manager::Brew => "qemu",
    };
    let line = manager.install_line(&[package]);
    if !consent.given_for(&format!("QEMU is missing; install it: {line}")) {
        bail!("{PROGRAM} is missing; get it by `{line}`, or let `cargo xtask setup --yes` do it");
    }
    manager.install(&[package])?;
    match installed_version() {
        Some(version) => check(version),
        None => bail!("{PROGRAM} is still missing after `{line}`"),
    }
}

fn check(version: (u32, u32)) -> Result<()> {
    if version < OLDEST {
        let ((major, minor), (oldest_major, oldest_minor)) = (version, OLDEST);
        bail!("{PROGRAM} is {major}.{minor}, and hilarm needs {oldest_major}.{oldest_minor} or newer");
    }
    Ok(())
}

fn installed_version() -> Option<(u32, u32)> {
    parse_version(&process::output_of(PROGRAM, &["--version"])?)
}

/// From `QEMU emulator version 7.2.22 (Debian ...)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let version = text.split_once("version ")?.1;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(parse_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"), Some((7, 2)));
        assert_eq!(parse_version("QEMU emulator version 10.0.0"), Some((10, 0)));
        assert_eq!(parse_version("no such thing"), None);
        assert!(check((7, 1)).is_err() && check((7, 2)).is_ok() && check((10, 0)).is_ok());
    }
}
