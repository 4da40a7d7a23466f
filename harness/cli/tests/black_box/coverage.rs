//! `hilarm coverage` as a guard: what a run shows, held against the reviewed table and the commit checked out.

use std::process::Command;

use crate::support::{Project, SAS_EXPIRED};

const TABLE: &str = "| row | kind | sim | scenarios | notes |\n|---|---|---|---|---|\n\
    | sas-expired | built-in | fired, silent, boundary | [device/sas-expired](device/sas-expired.yaml) |  |\n";

/// A project with one scenario, run on sim, and its coverage reviewed.
fn project() -> Project {
    let project = Project::new(&[SAS_EXPIRED]);
    project.write("scenarios/COVERAGE.md", TABLE);
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    project
}

#[test]
fn a_run_that_shows_what_was_reviewed_is_good() {
    let outcome = project().hilarm(&["coverage"]);
    outcome.expect(0, &["sas-expired", "fired, silent, boundary"]);
    assert!(!outcome.text().contains("LOST"), "{outcome}");
}

#[test]
fn a_row_that_no_longer_fires_is_lost() {
    let project = project();
    project.replace("scenarios/device/sas-expired.yaml", "advance: 61m", "advance: 59m");
    project.hilarm(&["run", "--board", "sim"]).expect(1, &[]);
    for form in [&["coverage"][..], &["coverage", "--json"]] {
        project.hilarm(form).expect(1, &["LOST sas-expired on sim: fired, silent, boundary"]);
    }
    project.hilarm(&["coverage", "--markdown"]).expect(0, &["| sas-expired | built-in | - |"]);
}

#[test]
fn a_row_whose_control_was_left_out_is_lost() {
    let project = project();
    let control = "controls: { skip_boundary: no time }\nsteps:";
    project.replace("scenarios/device/sas-expired.yaml", "\nsteps:", &format!("\n{control}"));
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    project.hilarm(&["coverage"]).expect(1, &["LOST sas-expired on sim: boundary"]);
}

#[test]
fn rows_of_scenarios_that_were_not_run_are_named_and_not_judged() {
    let project = project();
    let more = TABLE.replace("sas-expired.yaml)", "sas-expired.yaml), [device/other](device/other.yaml)");
    project.write("scenarios/COVERAGE.md", more);
    let other = project.read("scenarios/device/sas-expired.yaml");
    project.write("scenarios/device/other.yaml", other);
    project.hilarm(&["coverage"]).expect(0, &["not judged", "sas-expired"]);
}

#[test]
fn a_table_that_is_none_is_wrong_input() {
    let project = project();
    project.write("scenarios/COVERAGE.md", "nothing");
    project.hilarm(&["coverage"]).expect(2, &["scenarios/COVERAGE.md", "no table"]);
}

#[test]
fn journals_of_another_commit_are_counted_only_where_they_are_named() {
    let project = Project::new(&[SAS_EXPIRED]);
    project.write("scenarios/COVERAGE.md", TABLE);
    project.write(".gitignore", ".hilarm\n");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        let mut command = Command::new("git");
        command.current_dir(project.path(".")).args(identity).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "one"]);
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    project.hilarm(&["coverage"]).expect(0, &["a run of commit"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "two"]);
    project.hilarm(&["coverage"]).expect(2, &["the newest run", "is checked out"]);
    let runs = project.path(".hilarm/runs");
    let run = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    project.hilarm(&["coverage", "--run", &run.to_string_lossy()]).expect(0, &["a run of commit"]);
}
