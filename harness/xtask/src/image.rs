//! `cargo xtask image`: the hub as a container image, from the program that cargo builds and the libraries it is
//! linked with. No registry is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process;
use crate::run::host_cargo;
use crate::workspace;

/// Name and tag of the image.
const IMAGE: &str = "hilarm-hub:local";
/// The image's label that tells which program is inside.
const LABEL: &str = "hilarm.sha256";

/// Builds program and image.
pub(crate) fn build() -> Result<()> {
    process::must_run(host_cargo().args(["build", "--package", "hilarm"]))?;
    pack()
}

/// Builds the image around the program that is there.
pub(crate) fn pack() -> Result<()> {
    let program = workspace::target().join("debug").join("hilarm");
    let folder = workspace::target().join("image");
    stage(&program, &folder)?;
    let hash = hex::encode(Sha256::digest(fs::read(&program).context("failed to read the program")?));
    let mut docker = Command::new("docker");
    docker.args(["build", "--quiet", "--tag", IMAGE, "--label", &format!("{LABEL}={hash}")]).arg(&folder);
    // The classic builder serves every engine, and needs nothing beside it.
    process::must_run(docker.env("DOCKER_BUILDKIT", "0"))?;
    // The one that lost its name to it would stay for ever.
    let replaced = ["image", "prune", "--force", "--filter", &format!("label={LABEL}")];
    process::must_run(Command::new("docker").args(replaced).stdout(Stdio::null()))
}

/// Lays out what goes into the image.
fn stage(program: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("failed to clear {}", folder.display()))?;
    }
    let rootfs = folder.join("rootfs");
    copy(program, &rootfs.join("usr/bin/hilarm"))?;
    let linked = process::output_of("ldd", &[&program.to_string_lossy()])
        .context("failed to ask ldd for the program's libraries")?;
    let libraries = libraries(&linked);
    if libraries.is_empty() {
        bail!("ldd names no libraries: {linked}");
    }
    for library in libraries {
        copy(&library, &rootfs.join(library.strip_prefix("/").unwrap_or(&library)))?;
    }
    fs::create_dir_all(folder.join("state")).context("failed to make the state folder")?;
    let recipe = workspace::root().join("broker/server/Containerfile");
    copy(&recipe, &folder.join("Dockerfile"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("no folder to copy to")?;
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(())
}

/// The files among the lines of `ldd`: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, and the loader,
/// which stands alone.
fn libraries(linked: &str) -> Vec<PathBuf> {
    let files = linked.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    files.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found_and_what_the_kernel_lends_is_not() {
        let linked = "\tlinux-vdso.so.1 (0x0000)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x0001)\n\t/lib64/ld.so.2 (0x0002)\n";
        assert_eq!(libraries(linked), [PathBuf::from("/lib/x/libc.so.6"), PathBuf::from("/lib64/ld.so.2")]);
    }
}
