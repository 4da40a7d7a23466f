//! Security groups in files: on the command line and in scenarios, sound and broken.

use crate::support::Project;

const D2C: &str = "custom/d2c-mqtt";
const FILE: &str = "scenarios/custom/d2c-mqtt.yaml";

fn rule(max: &str) -> String {
    format!(
        "{{\"properties\":{{\"timeWindowRules\":[\n  {{\"ruleType\":\"MqttD2CMessagesNotInAllowedRange\",\
         \"isEnabled\":true,\"maxThreshold\":{max},\"timeWindowSize\":\"PT05M\"}}]}}}}"
    )
}

#[test]
fn a_group_on_the_command_line_takes_the_place_of_the_scenario_s() {
    let project = Project::new(&[D2C]);
    project.write("loose.json", rule("40"));
    let outcome = project.hilarm(&["run", "--board", "sim", "--security-group", "loose.json"]);
    outcome
        .expect(1, &["d2c-mqtt for device pump-1: expected once, fired 0", " --security-group loose.json"]);
    project.write("same.json", rule("30"));
    project
        .hilarm(&["run", "--board", "sim", "--security-group", "same.json"])
        .expect(0, &["PASS custom/d2c-mqtt"]);
}

#[test]
fn a_broken_group_is_named_with_its_place_by_run_and_hub() {
    let project = Project::new(&[D2C]);
    project.write("broken.json", rule("-1"));
    let words = ["--security-group: broken.json:2:3: properties.timeWindowRules[0]: invalid value"];
    project.hilarm(&["run", "--security-group", "broken.json"]).expect(2, &words);
    project.hilarm(&["hub", "--port", "0", "--security-group", "broken.json"]).expect(2, &words);
    project.hilarm(&["run", "--security-group", "no.json"]).expect(2, &["cannot read no.json"]);
}

#[test]
fn a_group_that_a_scenario_names_is_read_relative_to_it_and_its_errors_are_the_scenario_s() {
    let project = Project::new(&[D2C]);
    let rules = "  security_groups:\n    default:\n      d2c-mqtt: { max: 30, window: 5m }\n      # As tight, and \
                 nothing comes over HTTP.\n      d2c-http: { max: 30, window: 5m }\n";
    let named = "  security_group_files: { default: groups/mine.json }\n";
    project.replace(FILE, rules, named);
    let place = format!("{FILE}:12:36");
    project.hilarm(&["lint"]).expect(2, &["cannot read scenarios/custom/groups/mine.json", &place]);
    project.write("scenarios/custom/groups/mine.json", "{\n");
    project.hilarm(&["lint"]).expect(2, &["mine.json:2:0: not JSON", &place]);
    project.write("scenarios/custom/groups/mine.json", rule("30"));
    project.hilarm(&["run", "--board", "sim"]).expect(0, &["PASS custom/d2c-mqtt"]);
}
