//! `hilarm boards`: what is there, what is plugged in, and whether it works.

use crate::support::{Outcome, Project, QEMU_BOARD, SAS_EXPIRED, finish};

const PROBE_BOARD: &str = "qemu-mps2-an385-probe";
const LOCAL_FILE: &str = "boards.local.yaml";

/// A project that finds the firmware that was built; nothing where QEMU or the firmware is missing.
fn with_firmware() -> Option<Project> {
    let project = Project::new(&[SAS_EXPIRED]);
    project.firmware()?;
    std::os::unix::fs::symlink(hilarm_tests::root().join("target"), project.path("target")).unwrap();
    Some(project)
}

fn without_qemu(project: &Project, arguments: &[&str]) -> Outcome {
    finish(project.command(arguments).env("HILARM_QEMU", "no-such").spawn().unwrap())
}

#[test]
fn a_scan_proposes_and_writes_nothing() {
    let project = Project::new(&[]);
    let outcome = project.hilarm(&["boards", "scan"]);
    // Developers may have boards on their desks.
    if outcome.code == Some(0) {
        outcome.expect(0, &["boards:\n", "which this command never writes"]);
    } else {
        outcome
            .expect(4, &["nothing is plugged in", "lsusb", "69-hilarm.rules", "ATTRS{idVendor}==\"0483\""]);
        assert_eq!(outcome.stdout, "");
    }
    assert!(!project.path(LOCAL_FILE).exists());
}

#[test]
fn what_the_local_file_names_and_nobody_plugged_in_is_told() {
    let project = Project::new(&[]);
    project.write(LOCAL_FILE, "boards:\n  nucleo-f429zi:\n  - probe_serial: no such number\n");
    let outcome = project.hilarm(&["boards", "scan"]);
    assert!(
        outcome.text().contains("names a nucleo-f429zi with probe *:* serial no such number"),
        "{outcome}"
    );
    project
        .hilarm(&["boards", "check", "nucleo-f429zi"])
        .expect(3, &["serial no such number", "is plugged in"]);
}

#[test]
fn a_wrong_local_file_is_told_whole_wherever_it_is_read() {
    let project = Project::new(&[SAS_EXPIRED]);
    project.write(LOCAL_FILE, "boards:\n  nucleo-f429z:\n  - { probe_serail: A }\n");
    for command in
        [&["run", "--board", "sim"][..], &["boards", "list"], &["boards", "scan"], &["boards", "check"]]
    {
        let outcome = project.hilarm(command);
        let words =
            ["2 errors", "boards.local.yaml:2:3", "did you mean `nucleo-f429zi`?", "boards.local.yaml:3:7"];
        outcome.expect(2, &words);
        assert_eq!(outcome.stderr.matches("did you mean `probe_serial`?").count(), 1, "{outcome}");
    }
}

#[test]
fn the_help_shows_a_local_file_that_is_sound() {
    let project = Project::new(&[]);
    let outcome = project.hilarm(&["boards", "--help"]);
    outcome.expect(0, &["boards.local.yaml", "    - probe_serial: 066DFF525254888367"]);
    let example = outcome.stdout.lines().skip_while(|line| *line != "  boards:");
    let example: Vec<_> = example.map(|line| line.strip_prefix("  ").unwrap()).collect();
    project.write(LOCAL_FILE, example.join("\n"));
    project.hilarm(&["boards", "list"]).expect(0, &["sim"]);
}

#[test]
fn every_emulated_board_that_can_be_used_boots_links_and_resets() {
    let Some(project) = with_firmware() else { return };
    let outcome = project.hilarm(&["boards", "check"]);
    let words = ["PASS sim", &format!("PASS {QEMU_BOARD}"), "attach", "flash", "reset", "0 fail", "left out"];
    outcome.expect(0, &words);
    assert!(!project.path("boards/evidence").exists(), "only --attest leaves evidence");
}

#[test]
fn a_board_that_cannot_be_used_is_left_out_unless_it_was_asked_for() {
    let project = Project::new(&[]);
    let outcome = without_qemu(&project, &["boards", "check"]);
    outcome
        .expect(0, &["PASS sim", &format!("left out: board {QEMU_BOARD}: `no-such` does not run"), "1 pass"]);
    without_qemu(&project, &["boards", "check", QEMU_BOARD])
        .expect(3, &["INFRA qemu-mps2-an385", "`no-such` does not run", "0 pass, 1 fail"]);
    project
        .hilarm(&["boards", "check", "mps2-an385"])
        .expect(2, &["no board `mps2-an385`", "did you mean `qemu-mps2-an385`?"]);
    std::fs::remove_file(project.path("boards/sim.yaml")).unwrap();
    without_qemu(&project, &["boards", "check"]).expect(4, &["checked: 0 pass, 0 fail"]);
}

#[test]
fn evidence_says_what_ran_on_what_and_calls_an_emulator_one() {
    let Some(project) = with_firmware() else { return };
    let outcome =
        project.hilarm(&["boards", "check", "--attest", "--json", "sim", PROBE_BOARD, "nucleo-f429zi"]);
    outcome.expect(3, &["not attested: board sim: it runs no firmware"]);
    let lines: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (lines.len(), &lines[1]["verdict"], &lines[2]["verdict"]),
        (3, &"pass".into(), &"infra".into())
    );
    let written = std::fs::read_dir(project.path("boards/evidence")).unwrap().count();
    assert_eq!(written, 1, "neither what has no firmware nor what did not run");
    let evidence = project.read(&format!("boards/evidence/{PROBE_BOARD}.json"));
    let evidence: serde_json::Value = serde_json::from_str(&evidence).unwrap();
    assert_eq!((&evidence["silicon"], &evidence["verdict"]), (&false.into(), &"pass".into()));
    assert!(evidence["emulator"].as_str().unwrap().starts_with("QEMU "), "{evidence}");
    assert_eq!(evidence["elf_sha256"].as_str().unwrap().len(), 64);
    let unit = &evidence["units"][0];
    assert_eq!(unit["chip_as_read"]["DPIDR"], "0x2ba01477");
    assert_eq!(
        (&unit["firmware"]["target"], &unit["probe"]),
        (&"mps2-an385".into(), &serde_json::Value::Null)
    );
    let stages: Vec<_> = unit["stages"].as_array().unwrap().iter().map(|stage| &stage["stage"]).collect();
    assert_eq!(stages, ["attach", "flash", "boot", "link", "reset"]);
    assert!(!evidence.to_string().contains(project.path("").to_str().unwrap()), "no path of this machine");
}
