//! Programs that only tests need: real clients and readers to hold our side against.

use crate::consent::Consent;
use crate::packages::Manager;
use crate::process;

struct Tool {
    program: &'static str,
    version_flag: &'static str,
    apt: &'static str,
    brew: &'static str,
    what_for: &'static str,
}

const TOOLS: [Tool; 1] = [Tool {
    program: "mosquitto_pub",
    version_flag: "--version",
    apt: "mosquitto-clients",
    brew: "mosquitto",
    what_for: "the tests with a real MQTT client",
}];

/// Installs what is missing and agreed to; says what is left out otherwise. In CI the tests themselves fail
/// where a program is still missing.
pub(crate) fn prepare(consent: Consent) {
    for tool in &TOOLS {
        if let Err(reason) = tool.prepare(consent) {
            println!("xtask: {reason}: {} are passed over", tool.what_for);
        }
    }
}

impl Tool {
    fn is_here(&self) -> bool {
        process::output_of(self.program, &[self.version_flag]).is_some()
            || process::output_of("which", &[self.program]).is_some()
    }

    fn prepare(&self, consent: Consent) -> Result<(), String> {
        if self.is_here() {
            return Ok(());
        }
        let manager = Manager::detect().ok_or_else(|| format!("{} is missing", self.program))?;
        let package = match manager {
            Manager::Apt => self.apt,
            Manager::Brew => self.brew,
        };
        let line = manager.install_line(&[package]);
        if !consent.given_for(&format!("{} is missing; install it: {line}", self.program)) {
            return Err(format!("{} is missing; `{line}` installs it", self.program));
        }
        manager.install(&[package]).map_err(|error| format!("{error:#}"))
    }
}
