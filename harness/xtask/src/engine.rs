//! A container engine for the tests of the hub's image. Nobody's engine is started without being asked for:
//! `REQUIRE_DOCKER=1` asks.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::consent::Consent;
use crate::packages::Manager;
use crate::process;

/// Asks for an engine, and turns tests that are skipped without one into failures.
const REQUIRED: &str = "REQUIRE_DOCKER";
const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);

/// Makes sure that an engine answers; the error says why the container tests are skipped.
pub(crate) fn prepare(consent: Consent) -> Result<()> {
    if answers() {
        return Ok(());
    }
    if std::env::var_os(REQUIRED).is_none_or(|value| value != "1") {
        bail!("no container engine answers ({REQUIRED}=1 installs and starts one)");
    }
    install(consent)?;
    start()
}

fn answers() -> bool {
    process::output_of("docker", &["info"]).is_some()
}

fn install(consent: Consent) -> Result<()> {
    if process::output_of("dockerd", &["--version"]).is_some() {
        return Ok(());
    }
    let Some(manager @ Manager::Apt) = Manager::detect() else {
        bail!("no container engine is installed, and this machine has no apt to get docker.io by");
    };
    let line = manager.install_line(&["docker.io"]);
    if !consent.given_for(&format!("a container engine is missing; install it: {line}")) {
        bail!("a container engine is missing; `{line}` installs it");
    }
    manager.install(&["docker.io"])
}

/// Starts the engine so that published ports are reached from this machine alone. It outlives this program.
fn start() -> Result<()> {
    println!("xtask: $ dockerd --ip 127.0.0.1");
    let mut engine = Command::new("dockerd");
    engine.args(["--ip", "127.0.0.1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut engine = engine.spawn().context("failed to start dockerd")?;
    let deadline = Instant::now() + READY_LIMIT;
    while !answers() {
        if let Some(status) = engine.try_wait().context("failed to watch dockerd")? {
            bail!("dockerd ended at once ({status}); as root, `dockerd` says why");
        }
        if Instant::now() >= deadline {
            bail!("dockerd does not answer within {} s", READY_LIMIT.as_secs());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
