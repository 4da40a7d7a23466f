//! Builds the firmware.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process;
use crate::toolchain::{TARGET, Way};
use crate::workspace;

/// The one firmware of today: package and binary.
const PACKAGE: &str = "hilarm-mps2-an385";
const BINARY: &str = "mps2-an385";

/// Builds it and tells where the ELF is: the same place whichever compiler built it.
pub(crate) fn build(way: &Way) -> Result<PathBuf> {
    println!("xtask: building the firmware with {}", way.describe());
    let started = Instant::now();
    // Its own folder, because one lock on the other would make editors and tests wait.
    let folder = workspace::target().join("firmware");
    let mut cargo = way.cargo();
    cargo.current_dir(workspace::firmware());
    cargo.args(["build", "--release", "--locked", "--package", PACKAGE, "--target", TARGET]);
    cargo.args(way.flags()).arg("--target-dir").arg(&folder);
    process::must_run(&mut cargo)?;
    let elf = folder.join(TARGET).join("release").join(BINARY);
    if !elf.is_file() {
        bail!("cargo built no {}", elf.display());
    }
    println!("xtask: the firmware is ready after {:.1} s", started.elapsed().as_secs_f32());
    Ok(elf)
}
