//! Running other programs: quietly for a look, visibly for work, bounded in time where a network is involved.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a bounded program is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The program's standard output, trimmed, if it ran and succeeded.
pub(crate) fn output_of(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Shows a command line and runs it in sight of the user.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    println!("xtask: $ {}", shown(command));
    command.status().with_context(|| format!("failed to start {}", command.get_program().to_string_lossy()))
}

/// Like [`run`], and anything but success is an error.
pub(crate) fn must_run(command: &mut Command) -> Result<()> {
    let status = run(command)?;
    if !status.success() {
        bail!("{} failed ({status})", command.get_program().to_string_lossy());
    }
    Ok(())
}

/// Runs a program that may hang on a network; past the limit it is ended.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    println!("xtask: $ {}", shown(command));
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdin(Stdio::null()).spawn().with_context(|| format!("failed to start {name}"))?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("failed to watch {name}"))? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill().and_then(|()| child.wait()).with_context(|| format!("failed to end {name}"))?;
            bail!("{name} did not finish within {} s", limit.as_secs());
        }
        thread::sleep(LOOK);
    }
}

/// Program and arguments as one would type them, without the environment.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let started = Instant::now();
        let answer = run_within(Command::new("sleep").arg("60"), Duration::from_millis(200));
        assert!(answer.is_err_and(|error| error.to_string().contains("did not finish")));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_that_is_not_there_has_no_output() {
        assert_eq!(output_of("hilarm-no-such-program", &[]), None);
    }
}
