//! Snapshots: a difference fails, and `hilarm review` is how it is looked at.

use crate::support::{Project, SAS_EXPIRED};

const SNAPSHOT: &str = "scenarios/snapshots/device__sas-expired.snap";
const PENDING: &str = "scenarios/snapshots/device__sas-expired.snap.new";

fn changed() -> Project {
    let project = Project::new(&[SAS_EXPIRED]);
    project.replace(SNAPSHOT, "severity: Low", "severity: High");
    let outcome = project.hilarm(&["run", "--board", "sim"]);
    let words = ["the alerts differ from the reviewed snapshot", "-  severity: High", "+  severity: Low"];
    outcome.expect(1, &words);
    project
}

#[test]
fn a_difference_fails_and_asks_for_a_review() {
    let project = changed();
    assert!(project.path(PENDING).exists());
    let outcome = project.hilarm(&["review"]);
    outcome.expect(3, &["1 pending snapshot and no terminal to ask on", "--accept", "--reject"]);
    assert!(project.path(PENDING).exists(), "nobody decided");
}

#[test]
fn an_accepted_difference_is_the_new_snapshot() {
    let project = changed();
    project.hilarm(&["review", "--accept"]).expect(0, &["-  severity: High", "+  severity: Low"]);
    assert!(!project.path(PENDING).exists());
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    project.hilarm(&["review"]).expect(0, &["no pending snapshots"]);
}

#[test]
fn a_rejected_difference_leaves_the_snapshot_as_it_was() {
    let project = changed();
    project.hilarm(&["review", "--reject"]).expect(0, &[]);
    assert!(!project.path(PENDING).exists());
    assert!(project.read(SNAPSHOT).contains("severity: High"));
    project.hilarm(&["review", "--accept", "--reject"]).expect(2, &["cannot be used with"]);
}

#[test]
fn a_scenario_without_a_snapshot_does_not_pass() {
    let project = Project::new(&[SAS_EXPIRED]);
    std::fs::remove_file(project.path(SNAPSHOT)).unwrap();
    project.hilarm(&["run", "--board", "sim"]).expect(1, &["no reviewed snapshot yet", "hilarm review"]);
    project.hilarm(&["review", "--accept"]).expect(0, &[]);
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
}
