//! What a debug probe between harness and firmware costs: `cargo bench -p hilarm-runner --features probe --bench probe`.
//! The same emulated board, once launched anew by QEMU for each run and once opened behind the probe bridge and reset
//! between runs. Runs take turns, because figures of one machine mean little; the ratio gates.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hilarm_board::{Board, Elf, qemu_binary, qemu_version};
use hilarm_runner::{Pool, Trial, Verdict, lacking};
use hilarm_scenario::ScenarioFile;

const PLAIN: &str = "qemu-mps2-an385";
const PROBE: &str = "qemu-mps2-an385-probe";
/// All runs on the probe board, in terms of the same runs on plain QEMU; flashing, once a session, apart.
const OF_PLAIN_MAX: f64 = 3.0;
/// Some of each group; `cargo test --benches` passes no --bench and shows with the first that this runs.
const SCENARIOS: [&str; 5] = [
    "device/sas-expired",
    "device/suspicious-ip",
    "benign/ten-minutes",
    "custom/d2c-mqtt",
    "hub/certificate-added",
];

fn main() -> ExitCode {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let ids = if measures { &SCENARIOS[..] } else { &SCENARIOS[..1] };
    match firmware() {
        Ok(elf) => compare(ids, &elf),
        Err(reason) => {
            println!("QEMU left out: {reason}");
            ExitCode::SUCCESS
        }
    }
}

fn compare(ids: &[&str], elf: &Elf) -> ExitCode {
    let (plain, probe) = (board(PLAIN), board(PROBE));
    let pool = Pool::default();
    // Opens and flashes the board, once for all that follow.
    let began = Instant::now();
    run(&scenario(ids[0]), &probe, elf, &pool);
    println!("first run behind the probe, flashing included: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let (mut of_plain, mut of_probe) = (Duration::ZERO, Duration::ZERO);
    for file in ids.iter().map(|id| scenario(id)) {
        assert_eq!(lacking(&file.scenario, &probe), None);
        let (one, other) = (run(&file, &plain, elf, &pool), run(&file, &probe, elf, &pool));
        println!("{:<28} {:>6} ms, behind the probe {:>6} ms", file.id, one.as_millis(), other.as_millis());
        of_plain += one;
        of_probe += other;
    }
    let ratio = of_probe.as_secs_f64() / of_plain.as_secs_f64();
    println!("behind the probe: {ratio:.2} x plain QEMU (at most {OF_PLAIN_MAX})");
    if ratio > OF_PLAIN_MAX { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Wall time of a scenario with its controls.
fn run(file: &ScenarioFile, board: &Board, elf: &Elf, pool: &Pool) -> Duration {
    let began = Instant::now();
    let elf = Some(elf);
    let runs = Trial { file, board, elf, seed: None, folder: None, snapshots: None, pool }.run();
    let wrong = runs.iter().find(|run| run.verdict != Verdict::Pass);
    assert!(wrong.is_none(), "{}: {:?}", file.id, wrong.map(|run| &run.findings));
    began.elapsed()
}

fn firmware() -> Result<Elf, String> {
    qemu_version(&qemu_binary()).ok_or("no QEMU: `cargo xtask setup` installs it")?;
    let spec = board(PLAIN).firmware.ok_or("the board names no firmware")?;
    Elf::open(&spec.image(&root().join("target/firmware")), &spec.triple).map_err(|error| error.to_string())
}

fn board(id: &str) -> Board {
    Board::find(&root().join("boards"), id).unwrap_or_else(|error| panic!("{error}"))
}

fn scenario(id: &str) -> ScenarioFile {
    let path = root().join("scenarios").join(format!("{id}.yaml"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hilarm_runner::read_scenario(id, &path, &source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
