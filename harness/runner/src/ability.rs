//! What a scenario asks of a board that the board cannot do. Such a trial is skipped with the reason: it is
//! counted, and never a pass.

use std::time::Duration;

use hilarm_board::{Backend, Board, DeviceStep, ProvisionedSpec};
use hilarm_model::DeviceId;
use hilarm_scenario::{Auth, EventMatch, Scenario, Step, Transport};

use crate::spare::leave_out;
use crate::variant::each_step;

/// Why the scenario cannot run on the board; nothing when it can.
pub fn lacking(scenario: &Scenario, board: &Board) -> Option<String> {
    let mut scenario = scenario.clone();
    leave_out(&mut scenario, board);
    lacking_for(&scenario, board)
}

fn lacking_for(scenario: &Scenario, board: &Board) -> Option<String> {
    if let Some(reason) = scenario.left_out_of(&board.id) {
        return Some(reason.to_owned());
    }
    if let Some(built_in) = board.identity.as_ref().and_then(|identity| identity.provisioned.as_ref())
        && let Some(reason) = other_devices(scenario, built_in)
    {
        return Some(reason);
    }
    if board.is_of_others()
        && let Some(reason) = needs_own_agent(scenario)
    {
        return Some(reason.to_owned());
    }
    if let Some(reason) = beyond_agent("steps", &scenario.steps, board) {
        return Some(reason);
    }
    if is_unlinked(board)
        && let Some(device) = scenario.devices.keys().find(|device| is_refused_unasked(scenario, device))
    {
        return Some(format!(
            "it changes the registration of {device}, which it never connects, and firmware without a link \
             connects by itself"
        ));
    }
    let (limit, lived) = (board.timeouts.run?, lived(&scenario.steps));
    (lived > limit).then(|| {
        format!(
            "it lives {} s in real time, and the board's file allows {} s",
            lived.as_secs(),
            limit.as_secs()
        )
    })
}

/// What no firmware but hilarm's own has.
fn needs_own_agent(scenario: &Scenario) -> Option<&'static str> {
    let reported = |event: &EventMatch| {
        matches!(
            event,
            EventMatch::SecurityMessageReceived(_)
                | EventMatch::SecurityMessageRejected(_)
                | EventMatch::FlowReported(_)
                | EventMatch::LoginReported(_)
                | EventMatch::ProcessReported(_)
                | EventMatch::ListeningPortsReported(_)
                | EventMatch::SecurityEventReported(_)
        )
    };
    if scenario.proof.iter().any(|proof| reported(&proof.event)) || scenario.expect.unreported_flows.is_some()
    {
        return Some("its proof is what a Defender micro agent reports, and the firmware has none");
    }
    // Who wins how often follows from how soon each comes back.
    if scenario.devices.values().any(|device| device.identity.is_some()) {
        return Some("how a clone fares follows from the back-off of hilarm's own agent");
    }
    let modules = scenario.devices.values().any(|device| !device.modules.is_empty());
    modules.then_some("module identities need hilarm's own agent")
}

/// A firmware with an identity built in is that one device and no other.
fn other_devices(scenario: &Scenario, built_in: &ProvisionedSpec) -> Option<String> {
    let id = &built_in.device_id;
    let mut devices = scenario.devices.iter();
    let (Some((device, spec)), None) = (devices.next(), devices.next()) else {
        return Some(format!("its firmware is {id} alone, and the scenario has other devices"));
    };
    if device.as_str() != id {
        return Some(format!("its firmware is {id}, and the scenario's device is {device}"));
    }
    match (&spec.auth, built_in.key.is_some()) {
        (Auth::Sas(_), true) | (Auth::X509(_) | Auth::X509Ca(_), false) => None,
        (Auth::Sas(_), false) => Some("its firmware has a certificate and no symmetric key".to_owned()),
        (Auth::X509(_) | Auth::X509Ca(_), true) => {
            Some("its firmware has a symmetric key and no certificate".to_owned())
        }
    }
}

/// The first step that the device's end of the link cannot do.
fn beyond_agent(prefix: &str, steps: &[Step], board: &Board) -> Option<String> {
    steps.iter().enumerate().find_map(|(at, step)| {
        let path = format!("{prefix}[{at}]");
        match step {
            Step::Malicious(malicious) => {
                beyond_agent(&format!("{path}.malicious.do"), &malicious.attack, board)
                    .or_else(|| beyond_agent(&format!("{path}.malicious.benign"), &malicious.benign, board))
            }
            Step::Repeat(repeat) => beyond_agent(&format!("{path}.repeat.steps"), &repeat.steps, board),
            Step::Parallel(branches) => branches.iter().enumerate().find_map(|(branch, steps)| {
                beyond_agent(&format!("{path}.parallel[{branch}]"), steps, board)
            }),
            step => refused(step, board).map(|why| format!("{path}: {why}")),
        }
    })
}

fn refused(step: &Step, board: &Board) -> Option<String> {
    let (name, kind) = on_device(step)?;
    if is_unlinked(board) {
        // Firmware without a link connects by itself, and the hub sees it.
        let bounded = matches!(step, Step::Connect(connect) if connect.attempts.is_some());
        let waits = matches!(step, Step::Connect(_)) && !bounded;
        return (!waits).then(|| format!("{name} needs an agent, and the firmware has no link"));
    }
    let agent = board.agent.as_ref()?;
    let behaviour = match step {
        Step::Behaviour(step) => Some(&step.run),
        Step::StopBehaviour(step) => Some(&step.stop),
        _ => None,
    };
    if let Some(behaviour) = behaviour.filter(|behaviour| !agent.behaviours.contains(behaviour)) {
        return Some(format!("the firmware's agent holds no behaviour {behaviour}"));
    }
    let able = kind.is_some_and(|kind| agent.steps.contains(&kind));
    (!able).then(|| format!("the firmware's agent does not carry out {name}"))
}

/// The name of a step that is commanded to a device, and what an agent must be able to do; nothing for steps of
/// the hub, the network and the management plane.
fn on_device(step: &Step) -> Option<(&'static str, Option<DeviceStep>)> {
    Some(match step {
        Step::Connect(_) => ("connect", Some(DeviceStep::Connect)),
        Step::Disconnect(_) => ("disconnect", Some(DeviceStep::Disconnect)),
        Step::Reconnect(_) => ("reconnect", Some(DeviceStep::Reconnect)),
        Step::Behaviour(_) => ("behaviour", Some(DeviceStep::Behaviour)),
        Step::StopBehaviour(_) => ("stop_behaviour", Some(DeviceStep::Behaviour)),
        Step::SendTelemetry(step) if step.over == Transport::Https => ("send_telemetry over HTTPS", None),
        Step::ReceiveHttps(_) => ("receive_https", None),
        Step::UploadFile(_) => ("upload_file", None),
        Step::SendTelemetry(_) => ("send_telemetry", Some(DeviceStep::SendTelemetry)),
        Step::ReadTwin(_) => ("read_twin", Some(DeviceStep::ReadTwin)),
        Step::ReportProperties(_) => ("report_properties", Some(DeviceStep::ReportProperties)),
        _ => return None,
    })
}

/// Whether its firmware takes no commands.
pub(crate) fn is_unlinked(board: &Board) -> bool {
    board.link.is_none() && board.backend != Backend::Sim
}

/// Whether the device, which the steps never let connect, would be seen to be refused if it did.
fn is_refused_unasked(scenario: &Scenario, device: &DeviceId) -> bool {
    let (mut connects, mut changes) = (false, false);
    each_step(&mut scenario.steps.clone(), &mut |step| match step {
        Step::Connect(step) => connects |= step.device == *device,
        Step::CopyKey(step) => changes |= step.device == *device,
        Step::RotateKey(step) => changes |= step.device == *device,
        Step::SetDevice(step) => changes |= step.device == *device,
        Step::DeleteDevice(step) => changes |= step.device == *device,
        Step::PutDevice(step) => changes |= step.device == *device,
        _ => {}
    });
    changes && !connects
}

/// Codes of direct methods that reached a device and had no answer.
const NO_ANSWER: [u32; 3] = [504_101, 404_104, 400_027];

/// How long the steps let the world live, one branch after the other.
fn lived(steps: &[Step]) -> Duration {
    steps
        .iter()
        .map(|step| match step {
            Step::RunFor(span) => span.0,
            // An answer that is not to come is waited for, at most for so long.
            Step::InvokeMethod(invoke) if invoke.refused.is_some_and(|code| NO_ANSWER.contains(&code)) => {
                invoke.timeout.0
            }
            Step::Repeat(repeat) => lived(&repeat.steps).saturating_mul(repeat.times),
            Step::Malicious(malicious) => lived(&malicious.attack).max(lived(&malicious.benign)),
            Step::Parallel(branches) => branches.iter().map(|steps| lived(steps)).max().unwrap_or_default(),
            _ => Duration::ZERO,
        })
        .fold(Duration::ZERO, Duration::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const BOARD: &str = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\n\
        firmware: { elf: x }\nqemu: { machine: x, min_version: \"7.2\", nic: lan9118 }\n";

    fn scenario(devices: &str, steps: &str) -> Scenario {
        let text = format!(
            "schema: 1\nname: x\nseed: 1\ndevices: {{ {devices} }}\nsteps:\n{steps}\nexpect: {{ alerts: [] }}\n"
        );
        hilarm_scenario::parse("x", Path::new("x.yaml"), &text).unwrap_or_else(|e| panic!("{e}")).scenario
    }

    fn steps(steps: &str) -> Scenario {
        scenario("pump-1: { auth: { sas: { ttl: 1h } } }", steps)
    }

    fn board(rest: &str) -> Board {
        Board::parse("x", &format!("{BOARD}{rest}\n")).unwrap()
    }

    fn unlinked(rest: &str) -> Board {
        board(&format!("identity: {{ symbol: who }}\n{rest}"))
    }

    #[test]
    fn a_scenario_for_other_boards_is_left_out_with_its_reason() {
        let mut scenario = steps("  - run_for: 1s");
        let board = unlinked("");
        assert_eq!(lacking(&scenario, &board), None);
        let only = vec!["sim".to_owned()];
        scenario.boards = Some(hilarm_scenario::BoardsSpec { only, reason: "too many".to_owned() });
        assert_eq!(lacking(&scenario, &board).as_deref(), Some("too many"));
    }

    #[test]
    fn without_a_link_the_hubs_and_the_networks_steps_remain() {
        let board = unlinked("");
        let rest = "  - connect: { device: pump-1 }\n  - run_for: 10s\n  - network: { latency: 5ms }\n  - advance: 61m";
        assert_eq!(lacking(&steps(rest), &board), None);
        let commanded = "  - connect: { device: pump-1 }\n  - disconnect: { device: pump-1 }";
        let reason = lacking(&steps(commanded), &board).unwrap();
        assert_eq!(reason, "steps[1]: disconnect needs an agent, and the firmware has no link");
        assert_eq!(lacking(&steps("  - run_for: 10s"), &board), None, "it may connect as it likes");
        let locked_out = lacking(&steps("  - rotate_key: { device: pump-1 }"), &board).unwrap();
        assert!(locked_out.contains("the registration of pump-1"), "{locked_out}");
        let bounded = "  - connect: { device: pump-1, attempts: 3 }";
        assert!(lacking(&steps(bounded), &board).is_some(), "nobody bounds its tries");
    }

    #[test]
    fn an_agent_of_others_does_what_its_file_says_wherever_the_step_stands() {
        let link =
            "link: { via: uart1 }\nagent: { steps: [connect, behaviour], behaviours: [never-renew-token] }";
        let board = unlinked(link);
        let run = |name: &str| {
            steps(&format!(
                "  - repeat: {{ times: 2, steps: [{{ behaviour: {{ device: pump-1, run: {name} }} }}] }}"
            ))
        };
        assert_eq!(lacking(&run("never-renew-token"), &board), None);
        let reason = lacking(&run("forge-token"), &board).unwrap();
        assert_eq!(reason, "steps[0].repeat.steps[0]: the firmware's agent holds no behaviour forge-token");
        let reason = lacking(&steps("  - read_twin: { device: pump-1 }"), &board).unwrap();
        assert!(reason.contains("does not carry out read_twin"), "{reason}");
    }

    #[test]
    fn what_only_a_micro_agent_tells_is_not_asked_of_others() {
        let mut scenario = steps("  - run_for: 1s");
        scenario.expect.unreported_flows = Some(0);
        assert!(lacking(&scenario, &unlinked("")).unwrap().contains("micro agent"));
        let own = BOARD.replace("elf: x", "triple: a, target: b").replace("nic:", "config_address: 1, nic:");
        let own = Board::parse("x", &format!("{own}link: {{ via: uart1 }}\n")).unwrap();
        assert_eq!(lacking(&scenario, &own), None);
    }

    #[test]
    fn real_time_is_bounded_by_the_boards_file_alone() {
        let long = steps("  - repeat: { times: 3, steps: [{ run_for: 30s }] }");
        assert_eq!(lacking(&long, &unlinked("")), None);
        let reason = lacking(&long, &unlinked("timeouts: { run: 60s }")).unwrap();
        assert_eq!(reason, "it lives 90 s in real time, and the board's file allows 60 s");
        let method = |rest: &str| {
            let method =
                steps(&format!("  - invoke_method: {{ device: pump-1, method: m, timeout: 61s{rest} }}"));
            lacking(&method, &unlinked("timeouts: { run: 60s }"))
        };
        assert!(method(", refused: 404104").unwrap().contains("it lives 61 s"), "nobody answers");
        assert_eq!(method(""), None);
    }

    #[test]
    fn an_identity_built_in_is_one_device_with_one_kind_of_credential() {
        let board = board("identity: { provisioned: { device_id: pump-1, key: aGVsbG8= } }");
        assert_eq!(lacking(&steps("  - run_for: 1s"), &board), None);
        let sas = "auth: { sas: { ttl: 1h } }";
        let other = scenario(&format!("pump-2: {{ {sas} }}"), "  - run_for: 1s");
        assert!(lacking(&other, &board).unwrap().contains("the scenario's device is pump-2"));
        let two = scenario(&format!("pump-1: {{ {sas} }}, pump-2: {{ {sas} }}"), "  - run_for: 1s");
        assert!(lacking(&two, &board).unwrap().contains("pump-1 alone"));
    }
}
