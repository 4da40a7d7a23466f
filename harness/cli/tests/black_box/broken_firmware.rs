//! Firmware that panics, hangs, babbles, crashes or reboots, in a real QEMU.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::elf;
use crate::support::{Outcome, Project, QEMU_BOARD, Running, SAS_EXPIRED, until};

const BOARD_FILE: &str = "boards/qemu-mps2-an385.yaml";

fn run_code(code: &[u16]) -> Option<Outcome> {
    let project = Project::new(&[SAS_EXPIRED]);
    project.firmware()?;
    project.write("crafted.elf", elf::cortex_m(code));
    project.replace(BOARD_FILE, "boot: 10s", "boot: 1s");
    let outcome = project.hilarm(&["run", "--board", QEMU_BOARD, "--elf", "crafted.elf"]);
    let journal = project.journals().pop().unwrap();
    let replayed = project.hilarm(&["replay", &journal.to_string_lossy()]);
    replayed.expect(3, &["the firmware did not come up", "infra"]);
    Some(outcome)
}

#[test]
fn a_panic_is_told_in_the_firmwares_words_and_at_once() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    // The firmware looks for its configuration where the board should put it.
    project.replace(BOARD_FILE, "0x20300000", "0x21000000");
    project.replace(BOARD_FILE, "boot: 10s", "boot: 55s");
    let outcome = project.hilarm(&["run", "--board", QEMU_BOARD, "--elf", &elf]);
    outcome.expect(3, &["INFRA", "the firmware panicked: no configuration blob in memory"]);
}

#[test]
fn a_firmware_that_hangs_is_bounded() {
    let Some(outcome) = run_code(elf::LOOPS_FOREVER) else { return };
    outcome.expect(3, &["waited 1s for the firmware's first idle", "the firmware hangs"]);
}

#[test]
fn a_firmware_that_babbles_is_a_damaged_link() {
    let Some(outcome) = run_code(&elf::writes_to_the_link(0x55, 0)) else { return };
    outcome.expect(3, &["the link to the firmware is damaged: damaged framing"]);
}

#[test]
fn a_firmware_that_babbles_without_end_is_bounded() {
    let Some(outcome) = run_code(&elf::writes_to_the_link(0x55, 0x55)) else { return };
    outcome.expect(3, &["waited 1s for the firmware's first idle"]);
}

#[test]
fn a_processor_that_locks_up_is_told_in_qemus_words() {
    // An undefined instruction whose handler is itself: the processor gives up, and QEMU with it.
    let Some(outcome) = run_code(&[0xDE00]) else { return };
    outcome.expect(3, &["QEMU ended", "Lockup"]);
}

#[test]
fn a_reboot_is_told_from_a_damaged_link() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace("scenarios/device/sas-expired.yaml", "advance: 61m", "run_for: 1000d");
    let monitor = project.path("monitor");
    let monitor_option = format!("-qmp unix:{},server=on,wait=off", monitor.display());
    let qemu = project.qemu_script(&format!("exec qemu-system-arm \"$@\" {monitor_option}"));
    let mut command = project.command(&["run", "--board", QEMU_BOARD, "--elf", &elf]);
    let run = Running::start(command.env("HILARM_QEMU", qemu));
    until("the boot", || {
        let journal = std::fs::read_to_string(project.journals().pop()?).ok()?;
        journal.contains("\"Booted\"").then_some(())
    });
    // The harness stands still, so the guest comes to rest; only then is it reset.
    run.signal(Signal::STOP);
    reset(&monitor);
    run.signal(Signal::CONT);
    run.finish().expect(3, &["INFRA", "the firmware rebooted in the middle of the run (boot nonce"]);
}

/// Resets the machine and waits until that has happened.
fn reset(monitor: &std::path::Path) {
    let mut stream = UnixStream::connect(monitor).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("QMP"));
    // Each question is a round trip through QEMU's main loop, in which the guest finishes what it was at.
    for command in ["qmp_capabilities", "query-status", "query-cpus-fast", "query-status", "system_reset"] {
        writeln!(stream, "{{\"execute\":\"{command}\"}}").unwrap();
        lines.find(|line| line.as_ref().unwrap().contains("\"return\"")).unwrap().unwrap();
    }
}
