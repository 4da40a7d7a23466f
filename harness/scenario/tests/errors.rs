//! One bad file for each kind of error, and the exact text that its author reads.

use std::collections::BTreeSet;

use hilarm_model::SecurityGroup;
use hilarm_scenario::{ScenarioErrors, parse, parse_with_files};

/// A sound scenario; each case breaks it in one place.
const SOUND: &str = r#"schema: 1
name: A device floods the hub
attack: [T1499]
detects: [d2c-mqtt]
seed: 1
vars: { size: 64, grace: 10 }
devices:
  pump-1: { auth: { sas: { ttl: 1h } } }
  pump-2: { auth: { x509: { primary: own } } }
certificates:
  own: { valid_for: 365d }
hub:
  security_groups:
    default:
      d2c-mqtt: { min: 0, max: 30, window: 5m }
threat_intelligence: [203.0.113.66]
network:
  loss_percent: 5
  endpoints:
    203.0.113.66:1883: sink
steps:
  - connect: { device: pump-1 }
  - wait_for: { event: { connection_accepted: { device: pump-1 } }, within: "${grace}s" }
  - malicious:
      do:
        - behaviour: { device: pump-1, run: flood-telemetry, with: { count: 40 } }
      benign: []
  - advance: 61m
proof:
  - { event: { telemetry_received: { device: pump-1 } }, count: 31 }
expect:
  alerts:
    - { alert: d2c-mqtt, device: pump-1, count: 1 }
"#;

fn errors(id: &str, source: &str) -> ScenarioErrors {
    let mut files = |path: &str| match path {
        "groups/broken.json" => Err("groups/broken.json:7:12: \"5\" is no duration".to_owned()),
        _ => Ok(SecurityGroup::default()),
    };
    match parse_with_files(id, format!("scenarios/{id}.yaml"), source, &mut files) {
        Ok(_) => panic!("no error in\n{source}"),
        Err(errors) => errors,
    }
}

fn broken(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "{old:?} must be in the sound scenario once");
    SOUND.replace(old, new)
}

/// Name, what to replace, by what.
const CASES: &[(&str, &str, &str)] = &[
    // The text.
    ("syntax", "attack: [T1499]", "attack: [T1499"),
    ("tab-as-indentation", "  loss_percent: 5", "\tloss_percent: 5"),
    (
        "variable-in-flow-map",
        "device: pump-1 } }, within: \"${grace}s\"",
        "device: ${grace} } }, within: 10s",
    ),
    ("several-documents", "expect:\n", "---\nexpect:\n"),
    ("alias", "devices:\n  pump-1: {", "devices:\n  pump-1: &pump {"),
    ("alias-used", "pump-2: { auth: { x509: { primary: own } } }", "pump-2: *pump"),
    ("tag", "name: A device floods the hub", "name: !text A device floods the hub"),
    ("boolean-trap-value", "name: A device floods the hub", "name: No"),
    (
        "boolean-trap-key",
        "  own: { valid_for: 365d }",
        "  on: { valid_for: 365d }\n  own: { valid_for: 365d }",
    ),
    ("key-is-no-scalar", "  own: { valid_for", "  [a, b]: {}\n  own: { valid_for"),
    ("duplicate-key", "seed: 1\n", "seed: 1\nname: Again\n"),
    // Many devices.
    (
        "nested-for-each",
        "  - advance: 61m",
        "  - for_each: { device: \"pump-{1..2}\", steps: [{ for_each: {} }] }\n  - advance: 61m",
    ),
    ("board-left-out-without-a-reason", "seed: 1\n", "seed: 1\nboards: { only: [sim], reason: ' ' }\n"),
    // Cloned identities.
    (
        "clone-of-itself",
        "pump-2: { auth: { x509: { primary: own } } }",
        "pump-2: { auth: { x509: { primary: own } }, identity: pump-2 }",
    ),
    (
        "clone-of-nobody",
        "pump-2: { auth: { x509: { primary: own } } }",
        "pump-2: { auth: { x509: { primary: own } }, identity: pmup-1 }",
    ),
    (
        "clone-where-the-hub-s-view-counts",
        "  pump-1: { auth: { sas: { ttl: 1h } } }",
        "  pump-1: { auth: { sas: { ttl: 1h } }, identity: pump-2 }",
    ),
    // Security groups from files.
    ("group-in-two-places", "hub:\n", "hub:\n  security_group_files: { default: groups/default.json }\n"),
    (
        "group-without-rules",
        "  - advance: 61m",
        "  - put_security_group: { name: default }\n  - advance: 61m",
    ),
    (
        "group-by-rules-and-file",
        "  - advance: 61m",
        "  - put_security_group: { name: default, rules: {}, file: groups/default.json }\n  - advance: 61m",
    ),
    (
        "group-from-a-broken-file",
        "  - advance: 61m",
        "  - put_security_group: { name: default, file: groups/broken.json }\n  - advance: 61m",
    ),
    // Variables.
    ("unknown-variable", "within: \"${grace}s\"", "within: \"${grave}s\""),
    ("unclosed-variable", "within: \"${grace}s\"", "within: \"${grace s\""),
    ("variable-in-key", "{ count: 40 }", "{ \"${grace}\": 40 }"),
    ("variable-not-scalar", "vars: { size: 64", "vars: { size: [64]"),
    ("variable-in-variable", "vars: { size: 64", "vars: { size: \"${grace}0\""),
    // The shape.
    ("unknown-key", "detects: [d2c-mqtt]", "detect: [d2c-mqtt]"),
    ("unknown-key-like-no-other", "{ sas: { ttl: 1h } }", "{ sas: { lifetime: 1h } }"),
    ("unknown-step", "  - advance: 61m", "  - advnce: 61m"),
    ("unknown-event", "{ telemetry_received:", "{ telemetry_recieved:"),
    ("unknown-alert", "    - { alert: d2c-mqtt,", "    - { alert: d2c_mqt,"),
    ("unknown-range-rule", "      d2c-mqtt: { min", "      d2c-mqqt: { min"),
    ("unknown-behaviour", "run: flood-telemetry", "run: flood-telemetri"),
    ("unknown-endpoint-kind", ": sink", ": snk"),
    ("missing-key", "device: pump-1 } }, within: \"${grace}s\" }", "device: pump-1 } } }"),
    ("missing-section", "seed: 1\n", ""),
    ("wrong-type", "threat_intelligence: [203.0.113.66]", "threat_intelligence: 203.0.113.66"),
    ("number-for-text", "name: A device floods the hub", "name: 404"),
    ("text-for-number", "loss_percent: 5", "loss_percent: five"),
    ("nothing-for-a-map", "  - connect: { device: pump-1 }", "  - connect:"),
    ("not-single-key", "  - connect: { device: pump-1 }", "  - connect: { device: pump-1 }\n    within: 10s"),
    ("word-alone", ": sink", ": { sink: {} }"),
    ("word-needs-value", ": sink", ": command_and_control"),
    ("out-of-range", "seed: 1", "seed: -1"),
    ("count-of-zero", "count: 31", "count: 0"),
    (
        "empty-list",
        "        - behaviour: { device: pump-1, run: flood-telemetry, with: { count: 40 } }",
        "        []",
    ),
    ("duration-without-unit", "advance: 61m", "advance: 61"),
    ("duration-with-wrong-unit", "advance: 61m", "advance: 61min"),
    ("duration-in-two-units", "advance: 61m", "advance: 1h1m"),
    ("impossible-duration", "valid_for: 365d", "valid_for: 3651d"),
    ("advance-neither-form", "advance: 61m", "advance: { hubs: 61m }"),
    ("identity", "  pump-2: {", "  pump 2: {"),
    ("technique", "[T1499]", "[T149]"),
    ("unknown-technique", "[T1499]", "[T1499.014, T9999]"),
    ("address", "  203.0.113.66:1883: sink", "  203.0.113.66: sink"),
    // The meaning.
    ("schema-version", "schema: 1", "schema: 2"),
    ("unknown-device", "connect: { device: pump-1 }", "connect: { device: pump-3 }"),
    (
        "unknown-device-in-proof",
        "telemetry_received: { device: pump-1 }",
        "telemetry_received: { device: pmup-1 }",
    ),
    ("unknown-device-in-expect", "d2c-mqtt, device: pump-1", "d2c-mqtt, device: valve"),
    ("unknown-certificate", "primary: own", "primary: won"),
    ("unknown-caller", "  - advance: 61m", "  - purge_queue: { device: pump-1, caller: intrn }"),
    ("unknown-right", "steps:\n", "callers:\n  intern: { rights: [registryRead] }\nsteps:\n"),
    ("unknown-module", "  - advance: 61m", "  - patch_tags: { device: pump-1, module: maint, tags: {} }"),
    (
        "hub-certificate-of-nowhere",
        "  - advance: 61m",
        "  - put_certificate: { name: root, certificate: invlid }",
    ),
    (
        "signed-by-what-issues-nothing",
        "  - advance: 61m",
        "  - verify_certificate: { name: root-ca, signed_by: own }",
    ),
    (
        "unknown-recommendation-of-a-solution",
        "  - advance: 61m",
        "  - put_security_solution: { name: plant, recommendations: { identical-credential: disabled } }",
    ),
    (
        "status-that-is-none",
        "  - advance: 61m",
        "  - patch_security_solution: { name: plant, recommendations: { diagnostics-logs: disabld } }",
    ),
    ("unknown-step-that-reads", "  - advance: 61m", "  - get_certficate: { name: root }"),
    ("list-for-a-range", "{ min: 0, max: 30, window: 5m }", "{ names: [root] }"),
    (
        "unknown-recommendation",
        "  alerts:\n",
        "  recommendations: [{ recommendation: diagnostic-logs, state: active }]\n  alerts:\n",
    ),
    ("unknown-parameter", "with: { count: 40 }", "with: { count: 40, intervall_ms: 50 }"),
    ("missing-parameter", ", with: { count: 40 }", ""),
    ("parameter-of-the-wrong-kind", "count: 40", "count: forty"),
    ("parameter-out-of-range", "count: 40", "count: 0"),
    (
        "parameter-names-no-certificate",
        "run: flood-telemetry, with: { count: 40 }",
        "run: present-foreign-certificate, with: { certificate: rogue }",
    ),
    (
        "parameter-is-a-real-address",
        "run: flood-telemetry, with: { count: 40 }",
        "run: join-botnet, with: { address: 8.8.8.8 }",
    ),
    ("real-threat-intelligence", "[203.0.113.66]", "[203.0.113.66, 198.51.0.0/16]"),
    ("real-endpoint", "  203.0.113.66:1883: sink", "  10.42.0.9:1883: sink"),
    ("min-above-max", "min: 0", "min: 31"),
    ("empty-window", "window: 5m", "window: 500ms"),
    (
        "allow-list-without-services",
        "d2c-mqtt: { min: 0, max: 30, window: 5m }",
        "outbound-connection-not-allowed: { networks: [10.42.0.0/24, 10.77.0.10] }",
    ),
    ("loss", "loss_percent: 5", "loss_percent: 101.5"),
    ("no-proof", "proof:\n  - { event: { telemetry_received: { device: pump-1 } }, count: 31 }\n", ""),
    ("second-malicious", "  - advance: 61m", "  - malicious: { do: [{ run_for: 1s }], benign: [] }"),
    (
        "nested-malicious",
        "      benign: []",
        "      benign: [{ malicious: { do: [{ run_for: 1s }], benign: [] } }]",
    ),
    ("duplicate-alert", "pump-1, count: 1 }", "pump-1 }\n    - { alert: d2c-mqtt, device: pump-1 }"),
    ("no-subject", "d2c-mqtt, device: pump-1, count: 1", "d2c-mqtt, count: 1"),
    ("misspelled-parameter", "{ count: 40 }", "{ cuont: 40 }"),
    (
        "endpoint-that-does-not-listen",
        "{ telemetry_received: { device: pump-1 } }",
        "{ adversary_received: { endpoint: 192.0.2.1:1883 } }",
    ),
    (
        "unknown-security-group",
        "{ auth: { sas: { ttl: 1h } } }",
        "{ security_group: pumps, auth: { sas: { ttl: 1h } } }",
    ),
    ("number-for-a-device", "telemetry_received: { device: pump-1 }", "telemetry_received: { device: 7 }"),
    ("detects-unexpected", "detects: [d2c-mqtt]", "detects: [d2c-mqtt, sas-expired]"),
    ("no-reason", "expect:\n", "controls: { skip_boundary: \"\" }\nexpect:\n"),
];

fn all() -> Vec<(String, ScenarioErrors)> {
    let case =
        |(name, old, new): &(&str, &str, &str)| ((*name).to_owned(), errors("device/x", &broken(old, new)));
    let mut all: Vec<_> = CASES.iter().map(case).collect();
    let no_devices = broken("  pump-1: { auth: { sas: { ttl: 1h } } }\n", "")
        .replace("devices:\n  pump-2: { auth: { x509: { primary: own } } }\n", "devices: {}\n");
    all.push(("no-devices".into(), errors("device/x", &no_devices)));
    let many: String = (0..260).map(|n| format!("  d{n}: {{ auth: {{ sas: {{}} }} }}\n")).collect();
    let many = broken("certificates:\n", &format!("{many}certificates:\n"));
    all.push(("too-many-devices".into(), errors("device/x", &many)));
    let steps = "      - run_for: 1s\n".repeat(100);
    let parts = broken(
        "  - advance: 61m",
        &format!("  - for_each:\n      device: \"pump-{{1..1000}}\"\n      steps:\n{steps}"),
    );
    all.push(("too-many-parts".into(), errors("device/x", &parts)));
    all.push(("empty".into(), errors("device/x", "# nothing but a comment\n")));
    all.push(("too-deep".into(), errors("device/x", &format!("steps: {}", "[".repeat(70)))));
    all.push(("too-long".into(), errors("device/x", &"#\n".repeat(600_000))));
    all
}

#[test]
fn the_sound_scenario_is_sound() {
    parse("device/x", "x.yaml", SOUND).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn each_error_reads_well() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, errors) in all() {
            insta::assert_snapshot!(name, errors.to_string());
        }
    });
}

#[test]
fn each_kind_of_error_has_its_case() {
    let declared: BTreeSet<String> = include_str!("../src/problem.rs")
        .lines()
        .skip_while(|line| !line.contains("pub enum Problem"))
        .take_while(|line| !line.starts_with('}'))
        .filter_map(|line| {
            line.strip_prefix("    ").filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        })
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned())
        // Only a disagreement between the JSON schema and serde leads there.
        .filter(|variant| variant != "Decode")
        .collect();
    let variant = |debug: String| debug.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
    let all = all();
    let seen = all.iter().flat_map(|(_, errors)| errors.errors());
    let seen: BTreeSet<String> = seen.map(|error| variant(format!("{:?}", error.problem))).collect();
    assert_eq!(seen, declared);
}

#[test]
fn all_errors_of_a_file_come_at_once_in_its_order() {
    let source = SOUND
        .replace("detects: [d2c-mqtt]", "detcts: [d2c-mqtt]")
        .replace("ttl: 1h", "ttl: 60")
        .replace("connect: { device: pump-1 }", "connect: { device: pump-3, tries: 2 }")
        .replace("device: pump-1, run:", "device: pump-4, run:")
        .replace("advance: 61m", "advnce: 61m")
        .replace("count: 31", "count: many");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("several", errors("device/x", &source).to_string());
    });
}

#[test]
fn hundreds_of_errors_are_counted_and_not_printed() {
    let wide: String = (0..500).map(|n| format!("key-{n}: 1\n")).collect();
    let errors = errors("device/x", &format!("{SOUND}{wide}"));
    assert_eq!((errors.errors().len(), errors.omitted()), (100, 400));
    assert!(errors.to_string().ends_with("error: 400 errors more in scenarios/device/x.yaml"));
}

#[test]
fn a_campaign_may_chain_attacks() {
    let chained = broken("  - advance: 61m", "  - malicious: { do: [{ run_for: 1s }], benign: [] }");
    assert!(parse("campaigns/x", "x.yaml", &chained).is_ok());
}

#[test]
fn diagnostics_carry_spans_and_help_for_editors() {
    use miette::Diagnostic;
    let source = broken("  - advance: 61m", "  - advnce: 61m");
    let errors = errors("device/x", &source);
    let related: Vec<&dyn Diagnostic> = errors.related().unwrap().collect();
    let label = related[0].labels().unwrap().next().unwrap();
    assert_eq!(&source[label.offset()..label.offset() + label.len()], "advnce");
    assert_eq!(related[0].help().unwrap().to_string(), "did you mean `advance`?");
    assert!(errors.source_code().is_some());
}
