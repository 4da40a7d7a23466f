//! `cargo xtask`: everything between a fresh clone and a verdict.
//!
//! It finds out what this machine lacks, says so, installs it when allowed to, builds the firmware, and runs
//! the scenarios or the tests. It holds no knowledge of scenarios, boards or tests themselves.

mod c_firmware;
mod consent;
mod engine;
mod firmware;
mod image;
mod packages;
mod process;
mod qemu;
mod run;
mod setup;
mod tests;
mod tidy;
mod toolchain;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::consent::Consent;
use crate::setup::Setup;

/// Set-up, firmware builds, scenario runs and tests.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing, build the firmware, run every scenario on `sim` and on `qemu-mps2-an385`.
    Run {
        #[command(flatten)]
        consent: Consent,
        /// Passed on to `hilarm run`: `-- --board qemu-mps2-an505` takes another board (`hilarm boards list` names
        /// them).
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Install what is missing, build the firmware, run all tests.
    Test {
        #[command(flatten)]
        consent: Consent,
        /// Passed on to each `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Install what the firmware build needs, build it, print where the ELFs are.
    Firmware {
        #[command(flatten)]
        consent: Consent,
    },
    /// Install what the example firmware in C needs, fetch its libraries, build it, print where the ELFs are.
    CFirmware {
        #[command(flatten)]
        consent: Consent,
    },
    /// Install what is missing, and nothing else.
    Setup {
        #[command(flatten)]
        consent: Consent,
    },
    /// Build the hub as a container image, `hilarm-hub:local`, without a registry.
    Image,
    /// Check the rules of the house that no compiler checks.
    Tidy,
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn carry_out(task: Task) -> Result<ExitCode> {
    match task {
        Task::Run { consent, arguments } => run::scenarios(&Setup::all(consent), &arguments),
        Task::Test { consent, arguments } => {
            let setup = Setup::all(consent);
            tools::prepare(consent);
            tests::build()?;
            if let Err(reason) = engine::prepare(consent).and_then(|()| image::pack()) {
                println!(
                    "xtask: {reason:#}: the tests of the hub's container image are skipped, or fail where required"
                );
            }
            if let Err(reason) = c_firmware::build(consent) {
                println!("xtask: {reason:#}: the tests of the firmware in C are skipped, or fail in CI");
            }
            tests::run(&setup, &arguments)
        }
        Task::Firmware { consent } => {
            let way = toolchain::prepare(consent)?;
            for elf in firmware::build(&way)? {
                println!("{}", elf.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::CFirmware { consent } => {
            for elf in c_firmware::build(consent)? {
                println!("{}", elf.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Setup { consent } => {
            Ok(if Setup::all(consent).report() { ExitCode::SUCCESS } else { ExitCode::from(3) })
        }
        Task::Image => image::build().map(|()| ExitCode::SUCCESS),
        Task::Tidy => tidy::report(),
    }
}
