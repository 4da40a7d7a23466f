//! The shipped scenarios notice every changed rule. Weak ones do not, and the report says which rules get away.
#![allow(clippy::unwrap_used)]

use hilarm_board::Board;
use hilarm_runner::Snapshots;
use hilarm_runner::mutate::{Fate, Mutation, MutationReport, Tried};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards, root, scenario, scenarios};

fn sim() -> Board {
    boards().into_iter().find(|board| board.id == "sim").unwrap()
}

/// With the reviewed snapshots among what is judged.
fn reviewed(scenarios: &[ScenarioFile]) -> MutationReport {
    let state = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(&root().join("scenarios/snapshots"), state.path()).unwrap();
    Mutation { scenarios, board: &sim(), snapshots: Some(&snapshots), jobs: 2 }.run().unwrap()
}

fn unreviewed(scenarios: &[ScenarioFile]) -> MutationReport {
    Mutation { scenarios, board: &sim(), snapshots: None, jobs: 2 }.run().unwrap()
}

/// The one mutant of a rule whose change begins like this.
fn of<'r>(report: &'r MutationReport, rule: &str, change: &str) -> &'r Tried {
    let known = |tried: &&Tried| tried.rule == rule && tried.change.starts_with(change);
    report.tried.iter().find(known).unwrap_or_else(|| panic!("{rule}: {change} is not tried"))
}

/// What only the boundaries and the snapshot of device/sas-expired can tell.
const FINE: [(&str, &str); 4] = [
    ("sas-expired", "severity"),
    ("sas-expired", "deduplication for twice as long"),
    ("hub: token", "expiry: exclusive"),
    ("hub: token", "expiry: a second late"),
];

#[test]
fn the_shipped_scenarios_notice_every_mutant_and_no_reason_of_an_equivalent_one_is_false() {
    let report = reviewed(&scenarios());
    let text = report.to_string();
    assert_eq!((report.survivors().count(), report.refuted().count()), (0, 0), "{text}");
    let mutants = report.tried.len() - report.equivalents().count();
    assert_eq!(text.lines().last(), Some(&*format!("{mutants} mutants, {mutants} killed, 0 survived")));
    for rule in hilarm_defender::rules().map(|rule| rule.detection.slug) {
        let out_of_reach = report.out_of_reach.iter().any(|row| row.rule == rule);
        let disabled = report.tried.iter().find(|tried| tried.rule == rule && tried.change == "disabled");
        assert!(out_of_reach || matches!(disabled.unwrap().fate, Fate::Killed { .. }), "{rule}");
    }
}

#[test]
fn a_scenario_that_gives_up_its_boundaries_and_its_snapshot_lets_mutants_go_and_is_named_for_it() {
    let mut weak = scenario("device/sas-expired");
    weak.scenario.controls.skip_boundary = Some("planted".to_owned());
    let report = unreviewed(&[weak]);
    let nearest = Fate::Survived { nearest: Some("device/sas-expired".to_owned()) };
    for (rule, change) in FINE {
        let tried = of(&report, rule, change);
        assert_eq!(tried.fate, nearest, "{tried}");
        let told = format!("SURVIVED {rule}: {}; nearest scenario device/sas-expired\n", tried.change);
        assert!(report.to_string().contains(&told), "{report}");
    }
    assert!(!report.to_string().ends_with(" 0 survived"), "{report}");
    assert!(matches!(of(&report, "sas-expired", "disabled").fate, Fate::Killed { .. }), "it still detects");
}

#[test]
fn the_same_scenario_with_both_notices_them() {
    let report = reviewed(&[scenario("device/sas-expired")]);
    for (rule, change) in FINE {
        let tried = of(&report, rule, change);
        assert!(matches!(tried.fate, Fate::Killed { .. }), "{tried}");
    }
}

#[test]
fn without_the_scenario_of_a_rule_nothing_notices_that_it_is_gone() {
    let report = reviewed(&[scenario("benign/ten-minutes")]);
    let tried = of(&report, "sas-expired", "disabled");
    assert_eq!(tried.fate, Fate::Survived { nearest: None });
    assert!(
        report.to_string().contains("SURVIVED sas-expired: disabled; no scenario is about it"),
        "{report}"
    );
}

#[test]
fn scenarios_that_do_not_pass_as_they_are_can_tell_nothing() {
    let mut broken = scenario("device/sas-expired");
    broken.scenario.expect.alerts.clear();
    let mutation = Mutation { scenarios: &[broken], board: &sim(), snapshots: None, jobs: 2 };
    let failure = mutation.run().unwrap_err().to_string();
    assert!(failure.contains("device/sas-expired (main)"), "{failure}");
}
