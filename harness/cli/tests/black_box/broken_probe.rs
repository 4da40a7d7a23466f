//! Boards behind a debug probe that are wrong, silent, babbling or killed: an error that says so, an end within
//! bounds, nothing left behind, and the next scenario runs. The emulated board stands for all of them.

use rustix::process::{Pid, Signal, kill_process};

use crate::elf;
use crate::support::{Outcome, Project, Running, SAS_EXPIRED, TEN_MINUTES, until};

const PROBE_BOARD: &str = "qemu-mps2-an385-probe";
const BOARD_FILE: &str = "boards/qemu-mps2-an385-probe.yaml";

/// Runs an image of a few instructions, brought into the chip by the probe.
fn run_code(code: &[u16]) -> Option<Outcome> {
    let project = Project::new(&[SAS_EXPIRED]);
    project.firmware()?;
    project.write("crafted.elf", elf::cortex_m(code));
    project.replace(BOARD_FILE, "boot: 10s", "boot: 1s");
    Some(project.hilarm(&["run", "--board", PROBE_BOARD, "--elf", "crafted.elf"]))
}

/// The machine of this project's runs; it writes its process id into a file.
fn qemu_with_id(project: &Project) -> std::path::PathBuf {
    project.qemu_script(&format!("echo $$ > {}; exec qemu-system-arm \"$@\"", project.path("id").display()))
}

fn kill(project: &Project) -> Option<()> {
    let id = std::fs::read_to_string(project.path("id")).ok()?;
    kill_process(Pid::from_raw(id.trim().parse().ok()?)?, Signal::KILL).unwrap();
    std::fs::remove_file(project.path("id")).unwrap();
    Some(())
}

/// Every socket, port and image of an emulator is in a folder of this name.
fn folders_left(project: &Project) -> usize {
    let entries = std::fs::read_dir(project.path("")).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("hilarm-"))
        .count()
}

#[test]
fn the_wrong_chip_is_refused_and_other_boards_go_on() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace(BOARD_FILE, "0x410FC230", "0x410FD210");
    let outcome = project.hilarm(&["run", "--board", PROBE_BOARD, "--board", "sim", "--elf", &elf]);
    let words = ["probe-error: the wrong chip is behind", "CPUID reads 0x410fc230", "has 0x410fd210", "PASS"];
    outcome.expect(3, &words);
    assert_eq!(folders_left(&project), 0);
}

#[test]
fn a_chip_that_nobody_knows_is_named() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace(BOARD_FILE, "chip: mps2-an385", "chip: abacus");
    let outcome = project.hilarm(&["run", "--board", PROBE_BOARD, "--elf", &elf]);
    outcome.expect(3, &["probe-error: no description of the chip `abacus`"]);
}

#[test]
fn a_qemu_killed_in_the_middle_of_a_run_is_a_probe_error_and_the_next_scenario_runs() {
    let project = Project::new(&[TEN_MINUTES, SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace("scenarios/benign/ten-minutes.yaml", "run_for: 3m", "run_for: 1000d");
    let qemu = qemu_with_id(&project);
    let mut command = project.command(&["run", "--board", PROBE_BOARD, "--elf", &elf, "--jobs", "1"]);
    let run = Running::start(command.env("HILARM_QEMU", qemu));
    until("the hub's welcome", || {
        let journal = std::fs::read_to_string(project.journals().pop()?).ok()?;
        journal.contains("\"Connected\"").then_some(())
    });
    kill(&project).unwrap();
    let outcome = run.finish();
    outcome.expect(3, &["INFRA benign/ten-minutes", "probe-error: QEMU ended", "PASS device/sas-expired"]);
    assert_eq!(folders_left(&project), 0);
}

#[test]
fn a_qemu_killed_at_any_moment_of_opening_the_board_is_told() {
    for after_ms in [0, 60, 200, 400] {
        let project = Project::new(&[SAS_EXPIRED]);
        let Some(elf) = project.firmware() else { return };
        let qemu = qemu_with_id(&project);
        let mut command = project.command(&["run", "--board", PROBE_BOARD, "--elf", &elf]);
        let run = Running::start(command.env("HILARM_QEMU", qemu));
        until("QEMU", || std::fs::read_to_string(project.path("id")).ok()?.ends_with('\n').then_some(()));
        // Not a wait for anything: the moment at which it dies.
        std::thread::park_timeout(std::time::Duration::from_millis(after_ms));
        kill(&project).unwrap();
        run.finish().expect(3, &["INFRA", "pump-1: probe-error: "]);
        assert_eq!(folders_left(&project), 0, "killed after {after_ms} ms");
    }
}

#[test]
fn a_firmware_that_babbles_is_told_with_how_it_began() {
    let Some(outcome) = run_code(&elf::writes_to_the_link(0x55, 0x55)) else { return };
    outcome.expect(3, &["INFRA", "bytes came that are no frames of the link, beginning `UUUU"]);
}

#[test]
fn a_firmware_with_another_version_of_the_link_is_named() {
    // Sound frames, on a channel that this version does not know.
    let Some(outcome) = run_code(&elf::says_to_the_link(&elf::frame_of_channel(9))) else { return };
    outcome.expect(3, &["INFRA", "unknown channel 9: another version of the link?"]);
}

#[test]
fn a_firmware_that_hangs_is_bounded() {
    // Not from its first instruction: whoever comes back there was reset, as far as the bridge can see.
    let nop = 0x46C0;
    let code = [&[nop], elf::LOOPS_FOREVER].concat();
    let Some(outcome) = run_code(&code) else { return };
    outcome.expect(3, &["INFRA", "waited 1s for the firmware's first idle", "the firmware hangs"]);
}
