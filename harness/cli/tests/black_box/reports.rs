//! JSON lines and JUnit, and that seed, repeats and jobs do what they say.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::support::{Outcome, Project, SAS_EXPIRED, TEN_MINUTES};

fn objects(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn keys(object: &serde_json::Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn json_on_standard_output_is_nothing_but_json() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["run", "--board", "sim", "--json", "-"]);
    outcome.expect(0, &[]);
    let objects = objects(&outcome.stdout);
    let (summary, results) = objects.split_last().unwrap();
    let variants: Vec<_> = results.iter().map(|result| result["variant"].as_str().unwrap()).collect();
    assert_eq!(variants[..2], ["main", "benign"]);
    assert!(variants[2..].iter().all(|variant| variant.starts_with("boundary:")), "{variants:?}");
    for result in results {
        assert_eq!(result["kind"], "result");
        let wanted =
            ["alerts", "board", "hub_ms", "kind", "scenario", "seed", "variant", "verdict", "wall_ms"];
        assert!(wanted.iter().all(|key| keys(result).contains(key)), "{result}");
    }
    assert_eq!(results[0]["alerts"][0]["alert"], "sas-expired");
    assert_eq!((&results[0]["seed"], &results[0]["verdict"]), (&42.into(), &"pass".into()));
    let counts = ["fail", "flaky", "infra", "kind", "pass", "skipped", "spec_error", "unproven"];
    let mut found = keys(summary);
    found.sort_unstable();
    assert_eq!((found, &summary["kind"], &summary["pass"]), (counts.to_vec(), &"summary".into(), &6.into()));
    assert!(outcome.stderr.contains("PASS device/sas-expired"), "people read standard error: {outcome}");
}

#[test]
fn json_and_junit_go_to_files() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    let arguments = ["run", "--board", "sim", "--json", "out.jsonl", "--junit", "out.xml"];
    let outcome = project.hilarm(&arguments);
    outcome.expect(0, &["PASS device/sas-expired", "2 trials, runs: 7 pass"]);
    assert_eq!(objects(&project.read("out.jsonl")).len(), 8);
    assert_eq!(cases(&project.read("out.xml")), 7);
}

/// Test cases of a JUnit document, which must be well-formed.
fn cases(document: &str) -> usize {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    let (mut cases, mut depth) = (0, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {document}")) {
            Event::Eof => break,
            Event::End(_) => depth -= 1,
            Event::Start(start) => {
                depth += 1;
                cases += usize::from(start.name().as_ref() == b"testcase");
            }
            Event::Empty(start) => cases += usize::from(start.name().as_ref() == b"testcase"),
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{document}");
    cases
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let project = Project::new(&[SAS_EXPIRED]);
    for option in ["--json", "--junit"] {
        let outcome = project.hilarm(&["run", "--board", "sim", option, "no/such/folder/report"]);
        outcome.expect(3, &["cannot write no/such/folder/report: No such file or directory"]);
        assert!(!outcome.text().contains("PASS"), "{outcome}");
    }
}

/// Results without what a clock moves.
fn timeless(outcome: &Outcome) -> Vec<serde_json::Value> {
    let mut objects = objects(&outcome.stdout);
    objects.iter_mut().for_each(|object| drop(object.as_object_mut().unwrap().remove("wall_ms")));
    objects
}

#[test]
fn the_number_of_jobs_changes_no_result_and_no_order() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES, "custom/d2c-mqtt", "device/x509-expired"]);
    let run = |jobs| project.hilarm(&["run", "--board", "sim", "--json", "-", "--jobs", jobs]);
    let (one, four) = (run("1"), run("4"));
    one.expect(0, &[]);
    assert_eq!(timeless(&one), timeless(&four));
}

#[test]
fn a_seed_replaces_the_scenarios_own() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["run", "--board", "sim", "--json", "-", "--seed", "7"]);
    outcome.expect(0, &["\"seed\":7"]);
    assert!(!outcome.stdout.contains("\"seed\":42"), "{outcome}");
}

#[test]
fn three_repeats_without_a_difference_are_a_pass() {
    let project = Project::new(&[SAS_EXPIRED, TEN_MINUTES]);
    project.hilarm(&["run", "--board", "sim", "--repeat", "3"]).expect(0, &["2 trials, runs: 7 pass"]);
    project.hilarm(&["run", "--repeat", "0"]).expect(2, &["invalid value '0' for '--repeat <N>'"]);
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let project = Project::new(&[SAS_EXPIRED]);
    for arguments in [&["run", "--board", "sim"][..], &["list"], &["boards", "list"], &["--help"]] {
        let mut run = project.command(arguments).spawn().unwrap();
        drop((run.stdout.take(), run.stderr.take()));
        let outcome = crate::support::finish(run);
        assert_eq!(outcome.code, Some(0), "{arguments:?}");
    }
}

#[test]
fn a_failure_ends_with_the_command_that_repeats_it() {
    let project = Project::new(&[SAS_EXPIRED]);
    let file = "scenarios/device/sas-expired.yaml";
    project.replace(
        file,
        "alert: sas-expired, device: pump-1, count: 1",
        "alert: sas-expired, device: pump-1, count: 2",
    );
    let outcome = project.hilarm(&["run", "--board", "sim"]);
    let command = "repeat it: hilarm run scenarios/device/sas-expired.yaml --board sim --seed 42";
    let words = ["expected 2 times, fired 1", "sas-expired.yaml:24:7", "last words of the devices", command];
    outcome.expect(1, &words);
    let again: Vec<&str> = command.split(' ').skip(3).collect();
    assert!(project.hilarm(&again).stdout.contains("expected 2 times, fired 1"));
}
