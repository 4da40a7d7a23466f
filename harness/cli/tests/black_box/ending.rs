//! Ctrl-C and SIGKILL: the end is bounded, and no emulator is left behind.

use rustix::process::Signal;

use crate::support::{Project, QEMU_BOARD, Running, SAS_EXPIRED, TEN_MINUTES, processes_with, until};

/// A run that would take hours, with its emulator up.
fn long_run(project: &Project, elf: &str) -> Running {
    let arguments = ["run", "--repeat", "1000000", "--board", QEMU_BOARD, "--elf", elf];
    let run = Running::start(&mut project.command(&arguments));
    until("QEMU", || processes_with(elf).pop());
    run
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_begins_nothing_more() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    let Some(elf) = project.firmware() else { return };
    let run = long_run(&project, &elf);
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect(130, &["finishing what is under way; Ctrl-C again ends at once", "2 trials, runs:"]);
    assert!(processes_with(&elf).is_empty(), "an emulator is left");
}

#[test]
fn ctrl_c_twice_ends_at_once() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace("scenarios/device/sas-expired.yaml", "advance: 61m", "run_for: 1000d");
    let run = long_run(&project, &elf);
    run.signal(Signal::INT);
    // Two of one signal at the same moment are one; this one counts in any case.
    run.signal(Signal::TERM);
    run.finish().expect(130, &["finishing what is under way"]);
    until("the end of the emulator", || processes_with(&elf).is_empty().then_some(()));
}

#[test]
fn no_emulator_outlives_a_killed_run() {
    let project = Project::new(&[SAS_EXPIRED]);
    let Some(elf) = project.firmware() else { return };
    project.replace("scenarios/device/sas-expired.yaml", "advance: 61m", "run_for: 1000d");
    let run = long_run(&project, &elf);
    run.signal(Signal::KILL);
    assert_eq!(run.finish().code, None, "ended by a signal");
    until("the end of the emulator", || processes_with(&elf).is_empty().then_some(()));
    let journal = project.journals().pop().unwrap();
    let replayed = project.hilarm(&["replay", &journal.to_string_lossy()]);
    assert!(!replayed.text().contains("panicked at") && replayed.code != Some(0), "{replayed}");
}

#[test]
fn an_interrupted_run_on_sim_is_no_pass() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    let run = Running::start(&mut project.command(&["run", "--repeat", "1000000", "--board", "sim"]));
    until("a journal", || project.journals().pop());
    run.signal(Signal::INT);
    run.finish().expect(130, &["runs:", "pass"]);
}
