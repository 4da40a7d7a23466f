//! How fast the world goes round: `cargo bench -p hilarm-runner`. Figures of one machine mean little, so
//! each is also given as a ratio to a peer measured in the same run: sim to wall time, QEMU runs to an empty
//! boot-and-exit of the same firmware.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilarm_board::{Board, Device, Elf, QemuDevice, Stimulus, qemu_binary, qemu_version};
use hilarm_link::{AgentConfig, Credential, DeviceConfig, NetworkConfig, SasCredential};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_runner::{RunResult, Trial, Variant, Verdict};
use hilarm_scenario::{Connect, ScenarioFile, Step};

const ROUNDS: usize = 7;

fn main() {
    // `cargo test --benches` passes no --bench: then one round shows that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let sim = board("sim");
    let ten_minutes = scenario("benign/ten-minutes");
    let wall = median(rounds, || run(&ten_minutes, &sim, None).0);
    report("sim: ten minutes, 60 telemetry messages", wall, None);
    println!("sim: {:.0} simulated seconds a wall second", 600.0 / wall.as_secs_f64());
    match firmware() {
        Ok((board, elf)) => qemu(rounds, &board, &elf, &ten_minutes),
        Err(reason) => println!("QEMU left out: {reason}"),
    }
}

fn qemu(rounds: usize, board: &Board, elf: &Elf, ten_minutes: &ScenarioFile) {
    let empty = median(rounds, || boot_and_exit(board, elf));
    report("QEMU: empty boot-and-exit", empty, None);
    let wall = median(rounds, || run(ten_minutes, board, Some(elf)).0);
    report("QEMU: ten minutes, 60 telemetry messages over TLS", wall, Some((empty, 6.0)));
    println!("QEMU: {:.0} simulated seconds a wall second", 600.0 / wall.as_secs_f64());
    let first_alert = until_first_alert(scenario("device/sas-invalid-signature"));
    let wall = median(rounds, || run(&first_alert, board, Some(elf)).0);
    report("QEMU: boot, connect over TLS, attack, first alert", wall, Some((empty, 4.0)));
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

fn median(rounds: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..rounds).map(|_| measure()).collect();
    all.sort();
    all[all.len() / 2]
}

/// Wall time of the main run alone.
fn run(file: &ScenarioFile, board: &Board, elf: Option<&Elf>) -> (Duration, RunResult) {
    let mut file = file.clone();
    file.scenario.controls.skip_benign_twin = Some("a benchmark".to_owned());
    file.scenario.controls.skip_boundary = Some("a benchmark".to_owned());
    let trial = Trial { file: &file, board, elf, seed: None, folder: None, snapshots: None, pool: None };
    let main = trial.run().into_iter().find(|run| run.variant == Variant::Main);
    let main = main.expect("a main run");
    assert_eq!(main.verdict, Verdict::Pass, "{:?}", main.findings);
    (main.wall, main)
}

fn boot_and_exit(board: &Board, elf: &Elf) -> Duration {
    let began = Instant::now();
    drop(QemuDevice::launch(board, elf, &config()).expect("the firmware boots"));
    began.elapsed()
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

fn config() -> DeviceConfig {
    DeviceConfig {
        seed: 1,
        device_id: "bench".to_owned(),
        hub_host: "hub.hilarm.test".to_owned(),
        hub_port: 8883,
        credential: Credential::Sas(SasCredential { key: vec![1; 32], ttl_s: 3600 }),
        modules: Vec::new(),
        ca_certificate: Vec::new(),
        network: NetworkConfig {
            mac: [2, 0, 0, 0, 0, 9],
            address: [10, 42, 0, 9],
            prefix_len: 24,
            gateway: [10, 42, 0, 1],
            dns: [10, 77, 0, 53],
        },
        keep_alive_s: 240,
        agent: AgentConfig::default(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn board(id: &str) -> Board {
    Board::find(&root().join("boards"), id).unwrap_or_else(|error| panic!("{error}"))
}

fn scenario(id: &str) -> ScenarioFile {
    let path = root().join("scenarios").join(format!("{id}.yaml"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hilarm_scenario::parse(id, &path, &source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn firmware() -> Result<(Board, Elf), String> {
    let board = board("qemu-mps2-an385");
    qemu_version(&qemu_binary()).ok_or("no QEMU: `cargo xtask setup` installs it")?;
    let spec = board.firmware.clone().ok_or("the board names no firmware")?;
    let path = root().join("target/firmware").join(&spec.triple).join("release").join(&spec.target);
    let elf = Elf::open(&path, &spec.triple).map_err(|error| error.to_string())?;
    Ok((board, elf))
}
