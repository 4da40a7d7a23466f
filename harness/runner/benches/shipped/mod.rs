//! What the benches run: shipped scenarios and boards, the built firmware, and an empty boot-and-exit of it to hold
//! figures against.
#![allow(dead_code, reason = "each bench takes what it needs of it")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilarm_board::{
    Board, Device, DeviceOutput, Doorbell, Elf, IdentityFormat, IdentitySpec, Stimulus, UnlinkedDevice,
    qemu_binary, qemu_version,
};
use hilarm_link::{AgentConfig, Credential, DeviceConfig, NetworkConfig, SasCredential};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_scenario::ScenarioFile;
use tempfile::TempDir;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn board(id: &str) -> Board {
    Board::find(&root().join("boards"), id).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn scenario(id: &str) -> ScenarioFile {
    let path = root().join("scenarios").join(format!("{id}.yaml"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hilarm_runner::read_scenario(id, &path, &source).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The board in QEMU with a copy of its firmware, which nobody builds anew meanwhile, or why there is none here.
pub(crate) fn firmware() -> Result<(Board, Elf, TempDir), String> {
    let board = board("qemu-mps2-an385");
    qemu_version(&qemu_binary()).ok_or("no QEMU: `cargo xtask setup` installs it")?;
    let spec = board.firmware.clone().ok_or("the board names no firmware")?;
    let path = root().join("target/firmware").join(&spec.triple).join("release").join(&spec.target);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copy = folder.path().join(&spec.target);
    std::fs::copy(&path, &copy).map_err(|error| format!("{}: {error}", path.display()))?;
    let elf = Elf::open(&copy, &spec.triple).map_err(|error| error.to_string())?;
    Ok((board, elf, folder))
}

/// Whether this is a measurement; `cargo test --benches` passes no --bench and only shows that a bench runs.
pub(crate) fn measures() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

pub(crate) fn median(rounds: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..rounds).map(|_| measure()).collect();
    all.sort();
    all[all.len() / 2]
}

/// What QEMU and the firmware take that do nothing: started as anyone starts QEMU, with the image as its kernel, until
/// the firmware tells its interface that it is idle.
pub(crate) fn boot_and_exit(board: &Board, elf: &Elf) -> Duration {
    let plain = without_link(board);
    let began = Instant::now();
    let mut device = UnlinkedDevice::launch(&plain, elf, &config()).expect("QEMU starts");
    let bell = Doorbell::default();
    device.listen(&bell);
    let now = Now { mono: Monotonic::from_micros(0), unix: Timestamp::from_secs(0) };
    let mut is_idle = false;
    while !is_idle {
        assert!(bell.wait(board.timeouts.boot), "the firmware boots");
        let output = device.step(Stimulus::Tick, now).expect("the firmware boots");
        is_idle = output.iter().any(|output| matches!(output, DeviceOutput::Link(_)));
    }
    drop(device);
    began.elapsed()
}

fn without_link(board: &Board) -> Board {
    let identity = IdentitySpec {
        address: board.qemu.as_ref().and_then(|qemu| qemu.config_address),
        format: IdentityFormat::Blob,
        ..IdentitySpec::default()
    };
    Board { link: None, identity: Some(identity), ..board.clone() }
}

pub(crate) fn config() -> DeviceConfig {
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
