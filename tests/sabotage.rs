//! A scenario that passes whatever happens is worth nothing. Here each part that a verdict rests on is
//! broken on purpose, and the verdict must change.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::BufReader;

use hilarm_model::{DeviceId, HubEvent};
use hilarm_runner::{Entry, Pool, Recorded, Trial, Variant, Verdict, read_journal, replay};
use hilarm_scenario::{Malicious, ScenarioFile, Step};
use hilarm_tests::{boards, scenario, scenarios};

/// The recorded journal of the main run on sim.
fn recorded(file: &ScenarioFile) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let runs = run_on_sim(file, Some(folder.path().to_owned()));
    let main = runs.iter().find(|run| run.variant == Variant::Main).unwrap();
    let journal = main.folder.as_ref().unwrap().join("journal.jsonl");
    read_journal(BufReader::new(File::open(journal).unwrap())).unwrap()
}

fn run_on_sim(file: &ScenarioFile, folder: Option<std::path::PathBuf>) -> Vec<hilarm_runner::RunResult> {
    let boards = boards();
    let board = boards.iter().find(|board| board.id == "sim").unwrap();
    Trial { file, board, elf: None, seed: None, folder, snapshots: None, pool: &Pool::default() }.run()
}

fn main_verdict(file: &ScenarioFile) -> Verdict {
    run_on_sim(file, None)[0].verdict
}

/// Changes each attack, also those within other steps.
fn change_attacks(steps: &mut [Step], change: &impl Fn(&mut Malicious)) {
    for step in steps {
        match step {
            Step::Malicious(malicious) => change(malicious),
            Step::Repeat(repeat) => change_attacks(&mut repeat.steps, change),
            Step::Parallel(branches) => {
                branches.iter_mut().for_each(|branch| change_attacks(branch, change));
            }
            _ => {}
        }
    }
}

fn attacks() -> Vec<ScenarioFile> {
    scenarios().into_iter().filter(|file| !file.scenario.detects.is_empty()).collect()
}

fn attacks_with_alerts() -> Vec<ScenarioFile> {
    attacks().into_iter().filter(|file| !file.scenario.expect.alerts.is_empty()).collect()
}

#[test]
fn a_replayed_journal_gives_the_verdict_of_the_run() {
    for file in scenarios() {
        let replayed = replay(recorded(&file));
        assert_eq!(replayed.verdict, Verdict::Pass, "{}: {:?}", file.id, replayed.findings);
    }
}

#[test]
fn without_what_the_hub_saw_of_it_no_scenario_passes() {
    for file in attacks() {
        let mut journal = recorded(&file);
        let mut monitored = false;
        journal.lines.retain(|line| match &line.entry {
            Entry::Hub(record) => {
                let provisioning = !monitored;
                monitored |= record.event == HubEvent::MonitoringStarted;
                provisioning
            }
            Entry::Harness(_) => true,
        });
        assert_eq!(replay(journal).verdict, Verdict::Fail, "{} passes without its trigger", file.id);
    }
}

#[test]
fn an_alert_about_another_device_is_not_the_expected_one() {
    for mut file in attacks_with_alerts() {
        let journal = recorded(&file);
        file.scenario.expect.alerts[0].device = Some(DeviceId::new("somebody-else").unwrap());
        let header = hilarm_runner::Header { scenario: file.scenario.clone(), ..journal.header.clone() };
        let replayed = replay(Recorded { header, ..journal });
        assert_eq!(replayed.verdict, Verdict::Fail, "{}", file.id);
    }
}

#[test]
fn one_alert_more_or_less_than_expected_fails() {
    for file in attacks_with_alerts() {
        let expected = file.scenario.expect.alerts[0].count;
        for count in [expected - 1, expected + 1] {
            let mut journal = recorded(&file);
            journal.header.scenario.expect.alerts[0].count = count;
            assert_eq!(replay(journal).verdict, Verdict::Fail, "{} with {count}", file.id);
        }
    }
}

#[test]
fn a_recommendation_that_is_not_expected_fails() {
    let mut seen = 0;
    for file in attacks().into_iter().filter(|file| !file.scenario.expect.recommendations.is_empty()) {
        let mut journal = recorded(&file);
        journal.header.scenario.expect.recommendations.clear();
        assert_eq!(replay(journal).verdict, Verdict::Fail, "{}", file.id);
        seen += 1;
    }
    assert!(seen >= 4, "a scenario for each recommendation");
}

#[test]
fn an_attack_that_was_not_seen_to_land_is_unproven() {
    for mut file in attacks() {
        file.scenario.proof[0].count = 1_000_000;
        assert_eq!(main_verdict(&file), Verdict::Unproven, "{}", file.id);
    }
}

#[test]
fn without_the_attack_the_scenario_does_not_pass() {
    for mut file in attacks() {
        change_attacks(&mut file.scenario.steps, &|malicious| malicious.attack = malicious.benign.clone());
        assert_eq!(main_verdict(&file), Verdict::Fail, "{}", file.id);
    }
}

#[test]
fn an_attack_left_in_the_benign_twin_is_noticed() {
    let with_twin = |file: &ScenarioFile| file.scenario.controls.skip_benign_twin.is_none();
    for mut file in attacks().into_iter().filter(with_twin) {
        change_attacks(&mut file.scenario.steps, &|malicious| malicious.benign = malicious.attack.clone());
        let runs = run_on_sim(&file, None);
        let twin = runs.iter().find(|run| run.variant == Variant::Benign).unwrap();
        assert_eq!(twin.verdict, Verdict::Fail, "{}", file.id);
    }
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_does_not() {
    let file = scenario("benign/latency-and-loss");
    let first = run_on_sim(&file, None);
    let again = run_on_sim(&file, None);
    assert_eq!(first[0].fingerprint, again[0].fingerprint);
    let mut other = file;
    other.scenario.seed += 1;
    assert_ne!(first[0].fingerprint, run_on_sim(&other, None)[0].fingerprint);
}
