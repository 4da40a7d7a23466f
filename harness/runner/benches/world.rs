//! How fast the world goes round: `cargo bench -p hilarm-runner`. Figures of one machine mean little, so
//! each is also given as a ratio to a peer measured in the same run: sim to wall time, QEMU runs to an empty
//! boot-and-exit of the same firmware.

use std::time::Duration;

use hilarm_board::{Board, Device, Elf, QemuDevice, Stimulus};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_runner::{Pool, RunResult, Trial, Variant, Verdict};
use hilarm_scenario::{Connect, ScenarioFile, Step};

mod shipped;

use shipped::{board, boot_and_exit, config, firmware, measures, median, scenario};

const ROUNDS: usize = 7;

fn main() {
    let rounds = if measures() { ROUNDS } else { 1 };
    let sim = board("sim");
    let ten_minutes = scenario("benign/ten-minutes");
    let wall = median(rounds, || run(&ten_minutes, &sim, None, &Pool::default()).0);
    report("sim: ten minutes, 60 telemetry messages", wall, None);
    println!("sim: {:.0} simulated seconds a wall second", 600.0 / wall.as_secs_f64());
    let hundred = scenario("campaigns/one-of-a-hundred");
    let wall = median(rounds.min(3), || run(&hundred, &sim, None, &Pool::default()).0);
    report("sim: 100 devices, 65 minutes of hub time", wall, None);
    match firmware() {
        Ok((board, elf, _folder)) => qemu(rounds, &board, &elf, &ten_minutes),
        Err(reason) => println!("QEMU left out: {reason}"),
    }
}

fn qemu(rounds: usize, board: &Board, elf: &Elf, ten_minutes: &ScenarioFile) {
    let empty = median(rounds, || boot_and_exit(board, elf));
    report("QEMU: empty boot-and-exit", empty, None);
    let first_alert = until_first_alert(scenario("device/sas-invalid-signature"));
    // As a suite has it: QEMU is open, and what it knows of the firmware stays.
    let kept = Pool::default();
    run(ten_minutes, board, Some(elf), &kept);
    for (what, file, allowed) in [
        ("ten minutes, 60 telemetry messages over TLS", ten_minutes, (6.0, 4.0)),
        ("boot, connect over TLS, attack, first alert", &first_alert, (4.0, 2.0)),
    ] {
        let cold = median(rounds, || run(file, board, Some(elf), &Pool::default()).0);
        report(&format!("QEMU: {what}"), cold, Some((empty, allowed.0)));
        let wall = median(rounds, || run(file, board, Some(elf), &kept).0);
        report("QEMU: the same, QEMU open and reset", wall, Some((empty, allowed.1)));
    }
    if let Some(kib) = resident_kib(board, elf) {
        println!("QEMU: {:.1} MiB resident a device (64 allowed)", kib as f64 / 1024.0);
    }
}

/// The attack alone: the device is infected before its first connection, and its first refusal is the first
/// alert.
fn until_first_alert(mut file: ScenarioFile) -> ScenarioFile {
    let steps = std::mem::take(&mut file.scenario.steps);
    file.scenario.steps = steps
        .into_iter()
        .filter_map(|step| match step {
            Step::Malicious(_) => Some(step),
            Step::Reconnect(again) => Some(Step::Connect(Connect { attempts: Some(1), ..again })),
            _ => None,
        })
        .collect();
    file.scenario.proof.iter_mut().for_each(|proof| proof.count = 1);
    file
}

fn report(what: &str, wall: Duration, peer: Option<(Duration, f64)>) {
    let ratio = peer.map(|(peer, allowed)| {
        let ratio = wall.as_secs_f64() / peer.as_secs_f64();
        format!("  {ratio:.2} x empty boot (at most {allowed})")
    });
    println!("{what:<52} {:>9.3} ms{}", wall.as_secs_f64() * 1e3, ratio.unwrap_or_default());
}

/// Wall time of the main run alone.
fn run(file: &ScenarioFile, board: &Board, elf: Option<&Elf>, pool: &Pool) -> (Duration, RunResult) {
    let mut file = file.clone();
    file.scenario.controls.skip_benign_twin = Some("a benchmark".to_owned());
    file.scenario.controls.skip_boundary = Some("a benchmark".to_owned());
    let trial = Trial { file: &file, board, elf, seed: None, folder: None, snapshots: None, pool };
    let main = trial.run().into_iter().find(|run| run.variant == Variant::Main);
    let main = main.expect("a main run");
    assert_eq!(main.verdict, Verdict::Pass, "{:?}", main.findings);
    (main.wall, main)
}

/// Resident memory of QEMU after an hour of hub time.
fn resident_kib(board: &Board, elf: &Elf) -> Option<u64> {
    let mut device = QemuDevice::launch(board, elf, &config()).ok()?;
    let now = Now { mono: Monotonic::from_micros(3_600_000_000), unix: Timestamp::from_secs(1_767_229_200) };
    device.step(Stimulus::Tick, now).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", device.process_id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
