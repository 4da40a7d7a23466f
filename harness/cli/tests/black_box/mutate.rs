//! `hilarm mutate`: what scenarios notice, and what they let go.

use crate::support::{Project, SAS_EXPIRED};

#[test]
fn mutants_that_nothing_notices_are_told_with_rule_and_nearest_scenario_and_fail() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["mutate"]);
    outcome.expect(1, &["SURVIVED x509-expired: disabled; no scenario is about it", " killed, "]);
    assert!(!outcome.text().contains("SURVIVED sas-expired: severity"), "{outcome}");
    // Without its snapshot a scenario says nothing about severities.
    std::fs::remove_dir_all(project.path("scenarios/snapshots")).unwrap();
    project.hilarm(&["mutate"]).expect(1, &["no reviewed snapshot"]);
}

#[test]
fn with_all_each_mutant_is_told_once_also_with_what_noticed_it() {
    let outcome = Project::new(&[SAS_EXPIRED]).hilarm(&["mutate", "--all"]);
    outcome.expect(1, &["KILLED sas-expired: disabled; by device/sas-expired (main)"]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let mut distinct = lines.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), lines.len(), "{outcome}");
    let last = lines.last().unwrap();
    let numbers: Vec<usize> =
        last.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    assert_eq!(numbers[0], numbers[1] + numbers[2], "{last}");
}

#[test]
fn where_there_is_no_scenario_nothing_is_tried() {
    let project = Project::new(&[]);
    project.hilarm(&["mutate"]).expect(4, &["nothing ran"]);
}
