//! Scenario files that are wrong, and ones that are not there: exit code 2, the place, and what was meant.

use crate::support::{Project, SAS_EXPIRED};

const FILE: &str = "scenarios/device/sas-expired.yaml";

/// Runs the shipped scenario with one part replaced; the answer must name that part's place, `at` within it.
#[track_caller]
fn run_with(from: &str, to: &str, at: &str, code: i32, words: &[&str]) {
    let project = Project::new(&[SAS_EXPIRED]);
    project.replace(FILE, from, to);
    let text = project.read(FILE);
    let line = text.lines().position(|line| line.contains(to.trim_end())).unwrap();
    let column = text.lines().nth(line).unwrap().find(at).unwrap();
    let place = format!("{FILE}:{}:{}", line + 1, column + 1);
    let outcome = project.hilarm(&["run", "--board", "sim"]);
    outcome.expect(code, &[&place]);
    outcome.expect(code, words);
}

#[test]
fn an_unknown_key_is_shown_with_its_place_and_what_was_meant() {
    let words = ["unknown key `device`", "did you mean `devices`?"];
    run_with("devices:\n", "device:\n", "device", 2, &words);
}

#[test]
fn a_wrong_type_is_shown_with_its_place() {
    run_with("seed: 42", "seed: forty-two", "forty-two", 2, &["expected a whole number"]);
}

#[test]
fn an_unknown_device_is_shown_with_its_place_and_what_was_meant() {
    let words = ["unknown device `pmup-1`", "did you mean `pump-1`?"];
    run_with("- connect: { device: pump-1 }", "- connect: { device: pmup-1 }", "pmup-1", 2, &words);
}

#[test]
fn an_impossible_duration_teaches_the_form() {
    run_with("advance: 61m", "advance: 61 parsecs", "61", 2, &["durations end with ms, s, m, h or d"]);
    run_with("advance: 61m", "advance: -61m", "-61m", 2, &["-61m"]);
}

#[test]
fn a_missing_file_is_named_with_what_was_meant() {
    let project = Project::new(&[SAS_EXPIRED]);
    let outcome = project.hilarm(&["run", "scenarios/device/sas-expird.yaml"]);
    outcome.expect(2, &["no scenario file or folder", "did you mean `scenarios/device/sas-expired.yaml`?"]);
    project.hilarm(&["run", "device/sas-expired"]).expect(2, &["did you mean `scenarios/device/sas-expired"]);
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let project = Project::new(&[]);
    project.write("scenarios/device/binary.yaml", [0xFF, 0xFE, 0x00]);
    project.hilarm(&["lint"]).expect(2, &["scenarios/device/binary.yaml", "not UTF-8 text"]);
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let project = Project::new(&[]);
    std::fs::remove_dir(project.path("scenarios")).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem/none", project.path("scenarios")).unwrap();
    let outcome = project.hilarm(&["--project", ".", "lint"]);
    outcome.expect(2, &["no scenario file or folder `scenarios`"]);
}

#[test]
fn one_file_named_in_three_ways_runs_once() {
    let project = Project::new(&[SAS_EXPIRED]);
    let dotted = format!("./scenarios/../{FILE}");
    let outcome = project.hilarm(&["run", "--board", "sim", "--board", "sim", "scenarios", FILE, &dotted]);
    outcome.expect(0, &["1 trial, runs: 6 pass"]);
}

#[test]
fn two_files_with_one_id_are_refused() {
    let project = Project::new(&[SAS_EXPIRED]);
    for folder in ["mine", "yours"] {
        project.write(&format!("{folder}/sas.yaml"), project.read(FILE));
    }
    let outcome = project.hilarm(&["run", "--board", "sim", "mine/sas.yaml", "yours/sas.yaml"]);
    outcome.expect(2, &["duplicate scenario id `sas`: mine/sas.yaml and yours/sas.yaml"]);
}

#[test]
fn lint_tells_all_errors_of_all_files() {
    let project = Project::new(&[SAS_EXPIRED, "device/x509-expired"]);
    project.replace(FILE, "seed: 42", "seed: forty-two");
    project.replace(FILE, "advance: 61m", "advance: soon");
    project.replace("scenarios/device/x509-expired.yaml", "  - reconnect", "  - recconect");
    let outcome = project.hilarm(&["lint"]);
    outcome.expect(2, &["forty-two", "`soon`", "did you mean `reconnect`?", "2 scenarios checked, 2 wrong"]);
}

#[test]
fn a_wrong_file_keeps_no_other_from_running_and_is_in_every_report() {
    let project = Project::new(&[SAS_EXPIRED]);
    project.write("scenarios/device/wrong.yaml", "schema: 1\n");
    let outcome = project.hilarm(&["run", "--board", "sim", "--json", "-", "--junit", "junit.xml"]);
    outcome.expect(2, &["\"spec_error\":1", "\"pass\":6", "scenarios/device/wrong.yaml:1"]);
    assert!(outcome.stdout.contains("\"scenario\":\"device/wrong\""), "{outcome}");
    let junit = project.read("junit.xml");
    assert!(junit.contains("classname=\"device/wrong\"") && junit.contains("errors=\"1\""), "{junit}");
}

#[test]
fn a_scenario_whose_proof_is_unmet_never_passes() {
    let (five, six) = ("cause: sas-expired } }, count: 5", "cause: sas-expired } }, count: 6");
    run_with(five, six, "{ event", 1, &["UNPROVEN", "seen 5 of 6 times"]);
}
