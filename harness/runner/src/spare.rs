//! Honest traffic that a scenario asks of a device beside its attack. Firmware without a link makes its own and takes
//! no commands, so such steps are left out of the run, and named in its result. Nothing of an attack is ever left
//! out, nor what a proof may rest on.

use std::time::Duration;

use hilarm_board::Board;
use hilarm_scenario::{EventMatch, Scenario, Span, Step};

use crate::ability::is_unlinked;
use crate::judge::Finding;

/// Puts steps that do nothing in the place of those, and says which.
pub(crate) fn leave_out(scenario: &mut Scenario, board: &Board) -> Vec<Finding> {
    let mut left_out = Vec::new();
    if is_unlinked(board) && holds_attack(&scenario.steps) && !rests_on_traffic(scenario) {
        leave_out_of("steps", &mut scenario.steps, &mut left_out);
    }
    left_out
}

fn leave_out_of(prefix: &str, steps: &mut [Step], left_out: &mut Vec<Finding>) {
    for (at, step) in steps.iter_mut().enumerate() {
        let path = format!("{prefix}[{at}]");
        match step {
            Step::Repeat(repeat) => {
                leave_out_of(&format!("{path}.repeat.steps"), &mut repeat.steps, left_out);
            }
            Step::Parallel(branches) => {
                for (branch, steps) in branches.iter_mut().enumerate() {
                    leave_out_of(&format!("{path}.parallel[{branch}]"), steps, left_out);
                }
            }
            Step::SendTelemetry(_) | Step::ReadTwin(_) => {
                let why = "skipped: it needs an agent, and the firmware has no link";
                left_out.push(Finding::at(&path, why));
                *step = Step::RunFor(Span(Duration::ZERO));
            }
            _ => {}
        }
    }
}

fn holds_attack(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Malicious(_) => true,
        Step::Repeat(repeat) => holds_attack(&repeat.steps),
        Step::Parallel(branches) => branches.iter().any(|steps| holds_attack(steps)),
        _ => false,
    })
}

fn rests_on_traffic(scenario: &Scenario) -> bool {
    scenario
        .proof
        .iter()
        .any(|proof| matches!(proof.event, EventMatch::TelemetryReceived(_) | EventMatch::TwinRead(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn scenario(steps: &str, proof: &str) -> Scenario {
        let text = format!(
            "schema: 1\nname: x\nseed: 1\ndevices: {{ pump-1: {{ auth: {{ sas: {{ ttl: 1h }} }} }} }}\nsteps:\n\
             {steps}\nproof: [{{ event: {proof} }}]\nexpect: {{ alerts: [] }}\n"
        );
        hilarm_scenario::parse("x", Path::new("x.yaml"), &text).unwrap_or_else(|e| panic!("{e}")).scenario
    }

    fn board(link: &str) -> Board {
        let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\nfirmware: { elf: x }\n\
            qemu: { machine: x, min_version: \"7.2\", nic: lan9118 }\nidentity: { symbol: who }\n";
        Board::parse("x", &format!("{text}{link}")).unwrap()
    }

    const ATTACK: &str = "  - repeat: { times: 2, steps: [{ send_telemetry: { device: pump-1, count: 2 } }] }\n\
        \x20 - malicious: { do: [{ send_telemetry: { device: pump-1, count: 9 } }], benign: [] }";
    const ELSEWHERE: &str = "{ connection_accepted: { device: pump-1 } }";

    #[test]
    fn honest_traffic_beside_the_attack_is_left_out_by_name_and_the_attack_stays() {
        let mut scenario = scenario(ATTACK, ELSEWHERE);
        let left_out = leave_out(&mut scenario, &board(""));
        let paths: Vec<_> = left_out.into_iter().filter_map(|finding| finding.path).collect();
        assert_eq!(paths, ["steps[0].repeat.steps[0]"]);
        let Step::Repeat(repeat) = &scenario.steps[0] else { panic!("the steps keep their places") };
        assert!(matches!(repeat.steps[0], Step::RunFor(_)));
        let Step::Malicious(malicious) = &scenario.steps[1] else { panic!("the steps keep their places") };
        assert!(matches!(malicious.attack[0], Step::SendTelemetry(_)));
    }

    #[test]
    fn with_a_link_without_an_attack_or_under_a_proof_of_traffic_every_step_stays() {
        let untouched = |steps: &str, proof: &str, link: &str| {
            leave_out(&mut scenario(steps, proof), &board(link)).is_empty()
        };
        assert!(untouched(ATTACK, ELSEWHERE, "link: { via: uart1 }\n"));
        assert!(untouched("  - send_telemetry: { device: pump-1, count: 2 }", ELSEWHERE, ""));
        assert!(untouched(ATTACK, "{ telemetry_received: { device: pump-1 } }", ""));
    }
}
