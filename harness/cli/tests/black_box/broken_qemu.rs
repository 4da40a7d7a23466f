//! Boards, firmware files and QEMUs that are missing, wrong, too old, killed or stuck.

use crate::elf;
use crate::support::{Outcome, Project, QEMU_BOARD, SAS_EXPIRED, processes_with};

const BOARD_FILE: &str = "boards/qemu-mps2-an385.yaml";

fn run_with_elf(name: &str, bytes: Option<&[u8]>) -> Outcome {
    let project = Project::new(&[SAS_EXPIRED]);
    if let Some(bytes) = bytes {
        project.write(name, bytes);
    }
    // A QEMU that is there, whatever this machine has: the image is looked at first.
    let qemu = project.script("echo QEMU emulator version 9.0.0");
    let mut command = project.command(&["run", "--board", QEMU_BOARD, "--elf", name]);
    crate::support::finish(command.env("HILARM_QEMU", qemu).spawn().unwrap())
}

fn run_with_qemu(project: &Project, qemu: &std::ffi::OsStr, elf: &str) -> Outcome {
    let mut command = project.command(&["run", "--board", QEMU_BOARD, "--elf", elf]);
    crate::support::finish(command.env("HILARM_QEMU", qemu).spawn().unwrap())
}

#[test]
fn a_missing_board_is_named_with_what_was_meant() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["run", "--board", "mps2-an385"]);
    outcome.expect(2, &["no board `mps2-an385`", "did you mean `qemu-mps2-an385`?"]);
}

#[test]
fn a_wrong_board_file_is_named_with_line_and_column() {
    let project = Project::new(&[SAS_EXPIRED]);
    project.replace(BOARD_FILE, "boot: 10s", "boot: soon");
    project.hilarm(&["run"]).expect(2, &[BOARD_FILE, "`soon` is no wall-clock limit", "line 10 column"]);
    project.replace(BOARD_FILE, "timeouts:", "timeout:");
    project.hilarm(&["boards", "list"]).expect(2, &["unknown field `timeout`", "`timeouts`", "line 10"]);
}

#[test]
fn a_missing_firmware_says_how_to_build_it() {
    run_with_elf("none.elf", None).expect(3, &["no firmware at none.elf", "cargo xtask firmware", "INFRA"]);
}

#[test]
fn a_firmware_for_another_machine_is_named() {
    let outcome = run_with_elf("other.elf", Some(&elf::risc_v()));
    outcome.expect(3, &["other.elf is for RISC-V, 32-bit", "needs a 32-bit little-endian Arm image"]);
}

#[test]
fn a_text_file_is_no_firmware() {
    let outcome = run_with_elf("notes.txt", Some(b"not an image"));
    outcome.expect(3, &["notes.txt is not an ELF file", "repeat it: hilarm run", "--elf notes.txt"]);
}

#[test]
fn an_absent_qemu_says_how_to_install_it() {
    let project = Project::new(&[SAS_EXPIRED]);
    let words = ["`no-such` does not run", "cargo xtask setup", "INFRA"];
    run_with_qemu(&project, "no-such".as_ref(), "x").expect(3, &words);
}

#[test]
fn without_a_board_asked_for_an_absent_qemu_is_left_out_aloud() {
    let project = Project::new(&[SAS_EXPIRED]);
    let mut command = project.command(&["run"]);
    let outcome = crate::support::finish(command.env("HILARM_QEMU", "no-such").spawn().unwrap());
    outcome.expect(0, &["left out: board qemu-mps2-an385: `no-such`", "1 trial"]);
}

#[test]
fn an_old_qemu_is_told_from_an_absent_one() {
    let project = Project::new(&[SAS_EXPIRED]);
    let qemu = project.script("echo QEMU emulator version 5.2.0");
    run_with_qemu(&project, qemu.as_os_str(), "x")
        .expect(3, &["QEMU 5.2 is too old, 7.2 or newer is needed"]);
}

#[test]
fn a_qemu_that_never_tells_its_version_is_not_waited_for() {
    let project = Project::new(&[SAS_EXPIRED]);
    let qemu = project.script("exec sleep 600");
    run_with_qemu(&project, qemu.as_os_str(), "x").expect(3, &["does not run or tells no version"]);
}

#[test]
fn a_qemu_that_ends_with_an_error_is_quoted() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    let qemu = project.qemu_script("echo 'unsupported machine type' >&2; exit 1");
    let words = ["QEMU ended", "exit status: 1", "QEMU said: unsupported machine type", "INFRA"];
    run_with_qemu(&project, qemu.as_os_str(), &elf).expect(3, &words);
}

#[test]
fn a_machine_that_qemu_does_not_know_is_quoted() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace(BOARD_FILE, "machine: mps2-an385", "machine: toaster");
    let outcome = project.hilarm(&["run", "--board", QEMU_BOARD, "--elf", &elf]);
    outcome.expect(3, &["QEMU said:", "unsupported machine type"]);
}

#[test]
fn a_qemu_that_never_opens_the_link_is_bounded() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace(BOARD_FILE, "boot: 10s", "boot: 1s");
    // Not `exec`: what the wrapper started must go with it.
    let qemu = project.qemu_script(&format!("tail -f /dev/null {elf}"));
    run_with_qemu(&project, qemu.as_os_str(), &elf).expect(3, &["QEMU did not open the link within 1s"]);
    assert!(processes_with(&elf).is_empty(), "a wrapper's child is left");
}

#[test]
fn a_qemu_killed_in_the_middle_is_infra_and_its_journal_stays_readable() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace("scenarios/device/sas-expired.yaml", "advance: 61m", "run_for: 1000d");
    let qemu = project.qemu_script("(sleep 0.6; kill -KILL $$) & exec qemu-system-arm \"$@\"");
    let outcome = run_with_qemu(&project, qemu.as_os_str(), &elf);
    outcome.expect(
        3,
        &["INFRA", "pump-1: QEMU ended in the middle of the run (signal: 9", "journal and capture"],
    );
    let journals = project.journals();
    assert_eq!(journals.len(), 1, "controls of a run that failed are not run");
    let replayed = project.hilarm(&["replay", &journals[0].to_string_lossy()]);
    replayed.expect(3, &["device/sas-expired on qemu-mps2-an385 (main)", "QEMU ended", "infra"]);
    assert!(journals[0].with_file_name("capture.pcapng").exists());
}

#[test]
fn a_journal_cut_off_in_a_line_is_infra() {
    let project = Project::new(&[SAS_EXPIRED]);
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    let journals = project.journals();
    let main = journals.iter().find(|path| path.ends_with("sim/main/journal.jsonl")).unwrap();
    let whole = std::fs::read_to_string(main).unwrap();
    project.write("cut.jsonl", &whole[..whole.len() - 20]);
    project.hilarm(&["replay", "cut.jsonl"]).expect(3, &["cut off: the run was killed", "infra"]);
    project.hilarm(&["replay", &main.to_string_lossy()]).expect(0, &["alert: sas-expired", "pass"]);
}
