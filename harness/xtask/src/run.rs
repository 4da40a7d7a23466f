//! `cargo xtask run`: the scenarios, on every backend this machine can have.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;
use crate::setup::Setup;
use crate::workspace;

const SCENARIOS: &str = "scenarios";
const SIM: &str = "sim";
const QEMU: &str = "qemu-mps2-an385";

/// Builds what is needed and runs `hilarm run`; its exit code is ours.
pub(crate) fn scenarios(setup: &Setup, arguments: &[String]) -> Result<ExitCode> {
    let left_out = match setup.firmware()? {
        Ok(_) => Vec::new(),
        Err(reasons) => reasons.iter().map(|reason| format!("{reason:#}")).collect(),
    };
    if !left_out.is_empty() {
        println!("xtask: going on with {SIM} alone; {QEMU} is left out:");
        left_out.iter().for_each(|reason| println!("xtask:   {reason}"));
    }
    process::must_run(host_cargo().args(["build", "--package", "hilarm"]))?;
    let hilarm = workspace::target().join("debug").join("hilarm");
    let mut command = Command::new(hilarm);
    command.current_dir(workspace::root()).args(command_line(arguments, left_out.is_empty()));
    let status = process::run(&mut command)?;
    if !left_out.is_empty() {
        println!("xtask: {QEMU} was left out: {}", left_out.join("; "));
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Cargo for the host, in the root.
pub(crate) fn host_cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    cargo
}

/// `hilarm run` with the default scenarios and boards, where the user named none.
fn command_line(arguments: &[String], with_qemu: bool) -> Vec<String> {
    let mut line = vec!["run".to_string()];
    let names_a_path = arguments
        .iter()
        .any(|argument| !argument.starts_with('-') && Path::new(&workspace::root()).join(argument).exists());
    if !names_a_path {
        line.push(SCENARIOS.to_string());
    }
    if !arguments.iter().any(|argument| argument == "--board" || argument.starts_with("--board=")) {
        let boards: &[&str] = if with_qemu { &[SIM, QEMU] } else { &[SIM] };
        line.extend(boards.iter().flat_map(|board| ["--board".to_string(), (*board).to_string()]));
    }
    line.extend_from_slice(arguments);
    line
}

#[cfg(test)]
mod tests {
    use super::command_line;

    fn words(arguments: &[&str], with_qemu: bool) -> String {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_string()).collect();
        command_line(&arguments, with_qemu).join(" ")
    }

    #[test]
    fn every_scenario_runs_on_both_backends() {
        assert_eq!(words(&[], true), "run scenarios --board sim --board qemu-mps2-an385");
    }

    #[test]
    fn without_qemu_sim_remains() {
        assert_eq!(words(&["--seed", "7"], false), "run scenarios --board sim --seed 7");
    }

    #[test]
    fn what_the_user_names_is_not_named_again() {
        assert_eq!(words(&["Cargo.toml", "--board", "sim"], true), "run Cargo.toml --board sim");
    }
}
