//! The machine as it is after set-up: what can be run here, and why the rest cannot.

use std::path::PathBuf;

use anyhow::{Error, Result};

use crate::consent::Consent;
use crate::toolchain::Way;
use crate::{firmware, qemu, toolchain};

/// What set-up found or made.
pub(crate) struct Setup {
    qemu: Result<()>,
    way: Result<Way>,
}

impl Setup {
    /// Looks for everything and installs what is missing and agreed to.
    pub(crate) fn all(consent: Consent) -> Self {
        Self { qemu: qemu::prepare(consent), way: toolchain::prepare(consent) }
    }

    /// Says what is there; true when nothing is missing.
    pub(crate) fn report(&self) -> bool {
        match &self.qemu {
            Ok(()) => println!("xtask: QEMU is here"),
            Err(error) => println!("xtask: {error:#}"),
        }
        match &self.way {
            Ok(way) => println!("xtask: the firmware will be built with {}", way.describe()),
            Err(error) => println!("xtask: {error:#}"),
        }
        self.qemu.is_ok() && self.way.is_ok()
    }

    /// Builds the firmware if this machine can build and run it. The inner errors say what is missing: that
    /// leaves QEMU's scenarios out. The outer one is a defect of the firmware.
    pub(crate) fn firmware(&self) -> Result<Result<Vec<PathBuf>, Vec<&Error>>> {
        match (&self.way, &self.qemu) {
            (Ok(way), Ok(())) => firmware::build(way).map(Ok),
            (way, qemu) => Ok(Err(way.as_ref().err().into_iter().chain(qemu.as_ref().err()).collect())),
        }
    }
}
