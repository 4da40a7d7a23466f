//! Where `hilarm` looks for things, and its listings.

use crate::support::{Project, QEMU_BOARD, SAS_EXPIRED, TEN_MINUTES, finish};

#[test]
fn a_run_in_a_subfolder_finds_the_project_and_keeps_the_id() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    let mut command = project.command(&["run", "--board", "sim", "--json", "-", "sas-expired.yaml"]);
    let outcome = finish(command.current_dir(project.path("scenarios/device")).spawn().unwrap());
    outcome.expect(0, &["\"scenario\":\"device/sas-expired\"", "1 trial, runs: 6 pass"]);
    assert!(project.path(".hilarm/runs").is_dir(), "what runs leave behind is in the project");
}

#[test]
fn a_run_from_outside_needs_the_project_and_repeats_with_it() {
    let project = Project::new(&[SAS_EXPIRED]);
    let elsewhere = tempfile::tempdir().unwrap();
    let root = project.path("");
    let root = root.to_string_lossy();
    let outside = |arguments: &[&str]| {
        finish(project.command(arguments).current_dir(elsewhere.path()).spawn().unwrap())
    };
    outside(&["run"]).expect(2, &["no `boards` and `scenarios` in", "--project"]);
    outside(&["run", "--board", "sim", "--project", &root]).expect(0, &["PASS device/sas-expired"]);
    project.replace("scenarios/device/sas-expired.yaml", "count: 5 }", "count: 6 }");
    let repeat = format!("--seed 42 --project {root}");
    outside(&["run", "--board", "sim", "--project", &root]).expect(1, &["UNPROVEN", &repeat]);
}

#[test]
fn a_folder_that_is_no_project_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::new(&[]);
    let path = folder.path().to_string_lossy();
    project.hilarm(&["list", "--project", &path]).expect(2, &[&path, "holds no folder `boards`"]);
}

#[test]
fn nothing_to_run_is_no_pass() {
    let project = Project::new(&[]);
    project.hilarm(&["run"]).expect(4, &["nothing ran: there is no scenario file"]);
    let project = Project::new(&[SAS_EXPIRED]);
    std::fs::remove_file(project.path("boards/sim.yaml")).unwrap();
    let outcome = finish(project.command(&["run"]).env("HILARM_QEMU", "no-such").spawn().unwrap());
    outcome.expect(4, &["left out: board qemu-mps2-an385", "nothing ran: no board can be used here"]);
}

#[test]
fn list_names_every_scenario_and_what_it_detects() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    let outcome = project.hilarm(&["list"]);
    outcome
        .expect(0, &["device/sas-expired", "A device keeps using a SAS token that has expired", "no alert"]);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
    project.write("scenarios/device/wrong.yaml", "schema: 1\n");
    project.hilarm(&["list"]).expect(2, &["(wrong)", "see `hilarm lint scenarios/device/wrong.yaml`"]);
}

#[test]
fn lint_of_sound_files_is_silent_but_for_its_count() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["lint", "scenarios/device"]);
    outcome.expect(0, &[]);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("1 scenario checked, 0 wrong\n", ""));
}

#[test]
fn boards_are_listed_with_what_keeps_them_from_use() {
    let project = Project::new(&[]);
    let list = |arguments: &[&str]| {
        finish(project.command(arguments).env("HILARM_QEMU", "no-such").spawn().unwrap())
    };
    list(&["boards", "list"]).expect(0, &["sim", "usable", "not usable: `no-such` does not run"]);
    let outcome = list(&["boards", "list", "--json"]);
    let boards: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |id: &str| boards.iter().find(|board| board["id"] == id).unwrap();
    assert_eq!((&named("sim")["usable"], &named("sim")["reason"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(named(QEMU_BOARD)["backend"], "qemu");
    let files = std::fs::read_dir(project.path("boards")).unwrap();
    assert_eq!(boards.len(), files.count(), "a file is a board");
    for board in boards.iter().filter(|board| board["id"] != "sim") {
        let reason = board["reason"].as_str().unwrap();
        assert!(board["usable"] == false && !reason.is_empty(), "{board}");
        assert!(board["backend"] != "qemu" || reason.contains("no-such"), "{board}");
    }
}

#[test]
fn a_journal_that_is_none_is_told_once() {
    let project = Project::new(&[]);
    project.hilarm(&["replay", "nowhere.jsonl"]).expect(3, &["cannot read nowhere.jsonl: No such file"]);
    project.write("text.jsonl", "not json\n");
    project
        .hilarm(&["replay", "text.jsonl"])
        .expect(3, &["text.jsonl: line 1 of the journal does not decode"]);
    project.write("empty.jsonl", "");
    project.hilarm(&["replay", "empty.jsonl"]).expect(3, &["the journal is empty"]);
    let folder = project.hilarm(&["replay", "boards"]);
    folder.expect(3, &["cannot read the journal: Is a directory"]);
    assert_eq!(folder.stderr.matches("Is a directory").count(), 1, "{folder}");
}
