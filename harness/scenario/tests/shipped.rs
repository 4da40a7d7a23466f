//! Every file below `scenarios/` is sound, and what is generated is up to date.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::{Path, PathBuf};

use hilarm_scenario::{ScenarioFile, json_schema, parse};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
}

fn shipped() -> Vec<ScenarioFile> {
    let mut files = Vec::new();
    files_below(&folder(), &mut files);
    assert!(files.len() >= 8, "scenarios/ holds {} files", files.len());
    let read = |path: PathBuf| {
        let id = path.strip_prefix(folder()).unwrap().with_extension("");
        let source = std::fs::read_to_string(&path).unwrap();
        parse(id.to_str().unwrap(), path, &source).unwrap_or_else(|errors| panic!("{errors}"))
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_scenario_is_sound_and_names_the_schema_for_editors() {
    for file in shipped() {
        let depth = file.id.matches('/').count();
        let modeline = format!("# yaml-language-server: $schema={}scenario.schema.json", "../".repeat(depth));
        assert_eq!(file.source.lines().next(), Some(modeline.as_str()), "{}", file.id);
    }
}

#[test]
fn attacks_say_what_they_are_and_what_detects_them() {
    for file in shipped() {
        let attacks = file.source.contains("malicious:");
        let detected = !file.scenario.detects.is_empty();
        let blind_spot = file.id.starts_with("blind-spots/");
        assert_eq!(attacks && !blind_spot, detected, "{}: detects", file.id);
        let silent = file.scenario.expect.alerts.is_empty();
        assert!(!blind_spot || silent, "{}: what is noticed is no blind spot", file.id);
        assert_eq!(attacks, !file.scenario.attack.is_empty(), "{}: attack", file.id);
    }
}

/// Detections that nothing provokes yet, and what is missing. An entry goes when its scenario comes.
const WITHOUT_SCENARIO: &[(&str, &str)] = &[
    ("c2d-amqp", "no device speaks AMQP 1.0"),
    ("c2d-rejected-amqp", "no device speaks AMQP 1.0"),
    ("d2c-amqp", "no device speaks AMQP 1.0"),
    ("inbound-connection-not-allowed", "nobody connects to a device"),
];

#[test]
fn every_detection_has_a_scenario_of_its_name() {
    let shipped = shipped();
    let catalogue = hilarm_defender::catalogue().iter().chain(hilarm_defender::recommendation_catalogue());
    for detection in catalogue {
        let name = format!("/{}", detection.slug);
        let own = shipped.iter().find(|file| file.id.ends_with(&name) && !file.id.starts_with("campaigns/"));
        let missing = WITHOUT_SCENARIO.iter().find(|(slug, _)| *slug == detection.slug);
        let file = match (own, missing) {
            (None, Some(_)) => continue,
            (Some(file), None) => file,
            (None, None) => panic!("nothing is named {}", detection.slug),
            (Some(file), Some(_)) => panic!("{} is there: take it out of WITHOUT_SCENARIO", file.id),
        };
        let detects = file.scenario.detects.iter().any(|slug| slug == detection.slug);
        assert!(detects, "{} does not detect what it is named for", file.id);
        for technique in &file.scenario.attack {
            let listed = detection.attack.contains(&technique.as_str());
            assert!(listed, "{}: {technique} is not among {:?}", file.id, detection.attack);
        }
    }
}

#[test]
fn a_scenario_survives_the_way_into_a_journal_and_back() {
    for file in shipped() {
        let json = serde_json::to_string(&file.scenario).unwrap();
        let back: hilarm_scenario::Scenario = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json, "{}", file.id);
    }
}

#[test]
fn expectations_are_found_by_their_path() {
    for file in shipped() {
        for (index, alert) in file.scenario.expect.alerts.iter().enumerate() {
            let position = file.spans.locate(&format!("expect.alerts[{index}].alert")).unwrap();
            let text = &file.source[position.offset..position.offset + position.len];
            assert_eq!(text, alert.alert, "{}", file.id);
            assert!(
                file.source.lines().nth(position.line - 1).unwrap()[position.column - 1..].starts_with(text)
            );
        }
    }
}

#[test]
fn the_checked_in_schema_is_current() {
    let checked_in = std::fs::read_to_string(folder().join("scenario.schema.json")).unwrap_or_default();
    assert!(
        checked_in == json_schema(),
        "scenarios/scenario.schema.json is stale; run `cargo run -p hilarm-scenario --example scenario-schema \
         > scenarios/scenario.schema.json`"
    );
}
