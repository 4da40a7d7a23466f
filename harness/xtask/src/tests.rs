//! `cargo xtask test`: every test of both workspaces, with one count at the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::process;
use crate::run::host_cargo;
use crate::setup::Setup;
use crate::workspace;

/// Results of test programs, as they print them themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Builds the host's tests, and with them the program that they start and that the hub's image holds.
pub(crate) fn build() -> Result<()> {
    process::must_run(host_cargo().args(["test", "--workspace", "--no-run"]))
}

/// Runs everything that is built; further arguments go to each `cargo test`.
pub(crate) fn run(setup: &Setup, arguments: &[String]) -> Result<ExitCode> {
    match setup.firmware()? {
        Ok(elves) => elves.iter().for_each(|elf| println!("xtask: {}", elf.display())),
        Err(reasons) => {
            println!("xtask: the tests on QEMU will not run as they should:");
            reasons.iter().for_each(|reason| println!("xtask:   {reason:#}"));
        }
    }
    let mut firmware = host_cargo();
    firmware.current_dir(workspace::firmware()).args(["test", "--no-fail-fast"]);
    firmware.arg("--target-dir").arg(workspace::target());
    let mut host = host_cargo();
    host.args(["test", "--workspace", "--no-fail-fast"]);

    let mut tally = Tally::default();
    let mut broken = Vec::new();
    for (what, mut command) in [("the firmware's crates", firmware), ("the host's workspace", host)] {
        let (counted, success) = run_counting(command.args(arguments))?;
        tally.add(counted);
        if !success {
            broken.push(what);
        }
    }
    for what in &broken {
        println!("xtask: the tests of {what} failed, or did not build; see above");
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    let good = broken.is_empty() && tally.failed == 0 && tally.passed > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Passes a test run's output through while counting; the bool is cargo's own opinion.
fn run_counting(command: &mut Command) -> Result<(Tally, bool)> {
    println!(
        "xtask: $ cargo {}",
        command.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    );
    let mut child = command.stdout(Stdio::piped()).spawn().context("failed to start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let tally = count(BufReader::new(output), &mut std::io::stdout().lock())?;
    let status = child.wait().context("failed to wait for cargo")?;
    Ok((tally, status.success()))
}

/// Copies lines and adds up the summaries among them. Bytes that are no UTF-8 pass too.
fn count(mut output: impl BufRead, to: &mut impl Write) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).context("failed to read the tests' output")? > 0 {
        to.write_all(&line).context("failed to pass the tests' output on")?;
        if let Some(result) = parse_summary(&String::from_utf8_lossy(&line)) {
            tally.add(result);
        }
        line.clear();
    }
    Ok(tally)
}

/// From `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
fn parse_summary(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?;
    let count = |label: &str| {
        let of_label =
            |part: &str| part.trim().strip_suffix(label).and_then(|number| number.trim().parse().ok());
        counts.split(';').find_map(of_label)
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored").unwrap_or(0) })
}

#[cfg(test)]
mod unit {
    use super::*;

    const OUTPUT: &str = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n\
        \ntest result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn summaries_are_added_up_and_every_line_passes() {
        let mut shown = Vec::new();
        let tally = count(OUTPUT.as_bytes(), &mut shown).unwrap();
        assert_eq!(tally, Tally { passed: 4, failed: 1, skipped: 2 });
        assert_eq!(shown, OUTPUT.as_bytes());
    }

    #[test]
    fn other_lines_are_no_summary() {
        assert_eq!(parse_summary("test result is pending"), None);
        assert_eq!(parse_summary("thread 'x' panicked: test result: ok."), None);
        assert_eq!(parse_summary("test result: ok. nothing here"), None);
    }
}
