//! What a step of the service side makes of an answer that is another than it wants, and of codes that only some state
//! of hub and device brings about.

use std::path::Path;

use hilarm_board::Board;
use hilarm_scenario::parse;

use crate::trial::Trial;
use crate::{Pool, RunResult, Verdict};

const WORLD: &str = r#"schema: 1
name: x
seed: 1
devices:
  pump-1: { auth: { sas: { ttl: 1h } }, modules: [agent] }
  twin: { identity: pump-1, auth: { sas: { ttl: 1h } } }
certificates:
  root: { valid_for: 365d }
  leaf: { valid_for: 365d, issued_by: root }
callers:
  nobody: {}
  writer: { rights: [IotHubs/write, certificates/write] }
hub:
  unverified_certificates: { root-ca: root }
expect: { alerts: [] }
steps:
"#;

fn run(steps: &str) -> RunResult {
    let text = format!("{WORLD}{steps}");
    let file = parse("benign/x", Path::new("x.yaml"), &text).unwrap_or_else(|errors| panic!("{errors}"));
    let sim =
        Board::parse("sim", "schema: 1\nname: x\nbackend: sim\ncapabilities: [virtual-time]\n").unwrap();
    let pool = &Pool::default();
    let trial =
        Trial { file: &file, board: &sim, elf: None, seed: None, folder: None, snapshots: None, pool };
    trial.run().into_iter().next().unwrap()
}

/// What the first failed step says.
fn problem(steps: &str) -> String {
    let result = run(steps);
    assert_eq!(result.verdict, Verdict::Fail, "{steps}");
    result.findings.iter().map(|finding| format!("{finding:?}")).collect()
}

fn passes(steps: &str) {
    let result = run(steps);
    assert_eq!(result.verdict, Verdict::Pass, "{steps}: {:?}", result.findings);
}

const ONLINE: &str = "  - connect: { device: pump-1 }\n  - send_telemetry: { device: pump-1, count: 1 }\n";

#[test]
fn what_is_served_in_place_of_the_refusal_that_is_wanted_fails() {
    for (steps, said) in [
        (
            "  - purge_queue: { device: pump-1, refused: 404001 }\n",
            "served what it was to refuse with 404001",
        ),
        ("  - get_hub: { refused: 403000 }\n", "served what it was to refuse with 403000"),
        ("  - take_feedback: { refused: 401002 }\n", "served what it was to refuse with 401002"),
        ("  - put_device: { device: pump-1, refused: 412001 }\n", "DeviceAlreadyExists;pump-1"),
    ] {
        assert!(problem(steps).contains(said), "{steps}");
    }
    let method =
        |rest: &str| format!("{ONLINE}  - invoke_method: {{ device: pump-1, method: ping{rest} }}\n");
    assert!(problem(&method(", refused: 504101")).contains("served what it was to refuse with 504101"));
    passes(&method(""));
}

#[test]
fn an_answer_that_does_not_hold_what_is_stated_fails_and_says_where() {
    for (steps, said) in [
        ("  - get_twin: { device: pump-1, contains: { tags: { floor: 1 } } }\n", "`tags.floor`"),
        (
            "  - get_hub: { contains: { networkRuleSets: { defaultAction: Allow } } }\n",
            "`networkRuleSets.defaultAction",
        ),
        ("  - get_certificate: { name: root-ca, contains: { isVerified: true } }\n", "`isVerified: true`"),
        (
            "  - get_device: { device: pump-1, contains: { connectionState: Connected } }\n",
            "`connectionState",
        ),
    ] {
        assert!(problem(steps).contains(said), "{steps}: {}", problem(steps));
    }
}

#[test]
fn a_method_whose_device_connects_once_more_has_the_code_of_that() {
    let cut_off = |code: u32| {
        format!(
            "{ONLINE}  - network: {{ device: pump-1, partition: true }}\n  - parallel:\n\
             \x20     - [{{ invoke_method: {{ device: pump-1, method: ping, timeout: 1m, refused: {code} }} }}]\n\
             \x20     - [{{ run_for: 5s }}, {{ connect: {{ device: twin }} }}]\n"
        )
    };
    passes(&cut_off(400_027));
    assert!(problem(&cut_off(404_104)).contains("refused with 400027, not with 404104"));
}

#[test]
fn a_proof_of_possession_needs_a_code_the_key_and_the_right() {
    let verified =
        |is: bool| format!("  - get_certificate: {{ name: root-ca, contains: {{ isVerified: {is} }} }}\n");
    let generate = "  - generate_verification_code: { name: root-ca }\n";
    let verify = "  - verify_certificate: { name: root-ca, signed_by: root }\n";
    // A failed attempt is a fact and an alert; the steps go on.
    let fails = |steps: String| {
        let problem = problem(&steps);
        assert!(problem.contains("certificate-add-failed") && !problem.contains("isVerified"), "{problem}");
    };
    fails(format!("{verify}{}", verified(false)));
    passes(&format!("{generate}{verify}{}", verified(true)));
    let by_nobody = "  - verify_certificate: { name: root-ca, signed_by: root, caller: nobody }\n";
    fails(format!("{generate}{by_nobody}{}", verified(false)));
}

#[test]
fn who_may_write_the_hub_writes_it_without_the_right_to_read_it() {
    passes(concat!(
        "  - put_hub_properties: { max_delivery_count: 5, caller: writer }\n",
        "  - get_hub: { contains: { cloudToDevice: { maxDeliveryCount: 5 } } }\n",
    ));
    // What is refused is the write, not the read before it.
    let write = "  - put_hub_properties: { max_delivery_count: 5, caller: nobody, refused: 403000 }\n";
    let refused =
        "proof:\n  - { event: { service_operation_refused: { operation: write hub, caller: nobody } } }\n";
    passes(&format!("{write}{refused}"));
}

#[test]
fn who_may_not_read_a_certificate_does_not_know_its_code() {
    let generate = "  - generate_verification_code: { name: root-ca }\n";
    let verify = "  - verify_certificate: { name: root-ca, signed_by: root, caller: writer }\n";
    let verified = "  - get_certificate: { name: root-ca, contains: { isVerified: false } }\n";
    let problem = problem(&format!("{generate}{verify}{verified}"));
    assert!(problem.contains("certificate-add-failed") && !problem.contains("isVerified"), "{problem}");
}
