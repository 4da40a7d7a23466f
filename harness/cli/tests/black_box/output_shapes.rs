//! `hilarm replay --as SHAPE`: the rows that Defender would have written of a run. What each shape consists of is
//! tested where it is made (broker/defender/src/tests/output_shapes.rs).

use serde_json::Value;

use crate::support::{Project, SAS_EXPIRED, TEN_MINUTES};

const IDENTICAL: &str = "recommendations/identical-credentials";

/// The rows of a scenario's main run in one shape.
fn rows(project: &Project, scenario: &str, shape: &str) -> Vec<Value> {
    let runs = project.path(".hilarm/runs");
    let run = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let journal = run.join(scenario.replace('/', "__")).join("sim/main/journal.jsonl");
    let outcome = project.hilarm(&["replay", &journal.to_string_lossy(), "--as", shape]);
    outcome.expect(0, &[]);
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    outcome.stdout.lines().map(row).collect()
}

#[test]
fn a_run_is_written_in_every_shape_and_nothing_but_rows_is() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES, IDENTICAL]);
    project.hilarm(&["run", "--board", "sim"]).expect(0, &[]);
    for (scenario, shape, column, value) in [
        (SAS_EXPIRED, "security-alert", "/AlertType", "IoT_Expired_SAS_Token"),
        (SAS_EXPIRED, "arm", "/properties/alertType", "IoT_Expired_SAS_Token"),
        (SAS_EXPIRED, "ocsf", "/finding_info/analytic/uid", "sas-expired"),
        (IDENTICAL, "security-recommendation", "/RecommendationName", "IoT_SharedCredentials"),
        (TEN_MINUTES, "raw-event", "/RawEventName", "NetworkActivity"),
    ] {
        let rows = rows(&project, scenario, shape);
        let found = rows.iter().filter(|row| row.pointer(column) == Some(&value.into())).count();
        assert!(found > 0, "{shape}: {rows:?}");
    }
    assert_eq!(rows(&project, TEN_MINUTES, "security-alert"), Vec::<Value>::new());
    assert_eq!(rows(&project, SAS_EXPIRED, "security-alert"), rows(&project, SAS_EXPIRED, "security-alert"));
}

#[test]
fn a_shape_that_is_none_is_answered_with_those_that_are() {
    let outcome = Project::new(&[SAS_EXPIRED]).hilarm(&["replay", "journal.jsonl", "--as", "xml"]);
    outcome.expect(2, &["security-alert", "security-recommendation", "raw-event", "arm", "ocsf"]);
}
