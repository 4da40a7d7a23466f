//! Builds the firmware of every target.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process;
use crate::toolchain::Way;
use crate::workspace;

/// A folder below `firmware/targets`: its package is named after it, and so is its ELF.
struct Target {
    name: &'static str,
    triple: &'static str,
}

const CORTEX_M3: &str = "thumbv7m-none-eabi";
const CORTEX_M33: &str = "thumbv8m.main-none-eabihf";
const CORTEX_M4F: &str = "thumbv7em-none-eabihf";

/// Every target: the emulated ones, then those for silicon, which are compiled alone.
const TARGETS: [Target; 7] = [
    Target { name: "mps2-an385", triple: CORTEX_M3 },
    Target { name: "mps2-an505", triple: CORTEX_M33 },
    Target { name: "netduinoplus2", triple: CORTEX_M4F },
    Target { name: "netduinoplus2-live", triple: CORTEX_M4F },
    Target { name: "netduinoplus2-rtt", triple: CORTEX_M4F },
    Target { name: "nucleo-f429zi", triple: CORTEX_M4F },
    Target { name: "nrf52840-dk", triple: CORTEX_M4F },
];

/// The triples that a compiler is needed for.
pub(crate) const TRIPLES: [&str; 3] = [CORTEX_M3, CORTEX_M33, CORTEX_M4F];

/// Builds them and tells where the ELFs are: the same places whichever compiler built them.
pub(crate) fn build(way: &Way) -> Result<Vec<PathBuf>> {
    println!("xtask: building the firmware with {}", way.describe());
    let started = Instant::now();
    let elves = TARGETS.iter().map(|target| target.build(way)).collect::<Result<Vec<_>>>()?;
    println!("xtask: the firmware is ready after {:.1} s", started.elapsed().as_secs_f32());
    Ok(elves)
}

impl Target {
    /// On its own: built along with another target, a shared crate would get the features that the other asks
    /// for too.
    fn build(&self, way: &Way) -> Result<PathBuf> {
        // Its own folder, because one lock on the other would make editors and tests wait.
        let folder = workspace::target().join("firmware");
        let package = format!("hilarm-{}", self.name);
        let mut cargo = way.cargo();
        cargo.current_dir(workspace::firmware());
        cargo.args(["build", "--release", "--locked", "--package", &package, "--target", self.triple]);
        cargo.args(way.flags()).arg("--target-dir").arg(&folder);
        process::must_run(&mut cargo)?;
        let elf = folder.join(self.triple).join("release").join(self.name);
        if !elf.is_file() {
            bail!("cargo built no {}", elf.display());
        }
        Ok(elf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    fn names() -> BTreeSet<String> {
        TARGETS.iter().map(|target| target.name.to_owned()).collect()
    }

    #[test]
    fn every_folder_of_a_target_is_built() {
        let folders = fs::read_dir(workspace::firmware().join("targets")).unwrap();
        let folders: BTreeSet<String> =
            folders.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(folders, names());
    }

    #[test]
    fn a_compiler_is_prepared_for_every_target_and_for_no_other() {
        let needed: BTreeSet<&str> = TARGETS.iter().map(|target| target.triple).collect();
        assert_eq!(needed, TRIPLES.into_iter().collect());
    }

    #[test]
    fn every_board_file_names_a_target_with_its_triple() {
        for entry in fs::read_dir(workspace::root().join("boards")).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let ours = |line: &&str| line.starts_with("firmware:") && !line.contains("elf:");
            let Some(line) = text.lines().find(ours) else { continue };
            let built = TARGETS.iter().any(|target| {
                line.contains(&format!("triple: {}", target.triple))
                    && line.contains(&format!("target: {}", target.name))
            });
            assert!(built, "{line}");
        }
    }
}
