//! Finding QEMU and telling whether it is new enough.

use std::fmt;
use std::process::Command;

/// QEMU's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuVersion {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl QemuVersion {
    /// From `major.minor` with anything behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let number = |part: &str| -> Option<u32> {
            part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        };
        Some(Self { major: number(parts.next()?)?, minor: number(parts.next()?)? })
    }
}

/// The QEMU to run: `HILARM_QEMU`, or `qemu-system-arm` of the search path.
pub fn qemu_binary() -> String {
    std::env::var("HILARM_QEMU").unwrap_or_else(|_| "qemu-system-arm".to_owned())
}

/// Asks a QEMU for its version; nothing when it cannot be run.
pub fn qemu_version(binary: &str) -> Option<QemuVersion> {
    let output =
        Command::new(binary).arg("--version").output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    QemuVersion::parse(text.split("version ").nth(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let parse = |text| QemuVersion::parse(text).unwrap();
        assert!(parse("7.2.22 (Debian 1:7.2)") >= parse("7.2"));
        assert!(parse("10.0.2") > parse("7.2"));
        assert_eq!(QemuVersion::parse("seven"), None);
    }

    #[test]
    fn an_absent_qemu_has_no_version() {
        assert_eq!(qemu_version("no-such-qemu-anywhere"), None);
    }
}
