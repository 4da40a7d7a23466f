//! Real firmware in QEMU, and what happens when it, or QEMU, misbehaves. In CI a missing QEMU fails these
//! tests; elsewhere they say what is missing and pass over.
#![allow(clippy::unwrap_used)]

use hilarm_board::{Device, DeviceFault, QemuDevice, Stimulus};
use hilarm_link::{AgentConfig, Credential, DeviceConfig, NetworkConfig, SasCredential};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_runner::{Pool, Trial, Verdict};
use hilarm_tests::{qemu, scenario};

fn config() -> DeviceConfig {
    DeviceConfig {
        seed: 1,
        device_id: "pump-1".to_owned(),
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

fn now(micros: u64) -> Now {
    Now { mono: Monotonic::from_micros(micros), unix: Timestamp::from_secs(1_767_225_600) }
}

#[test]
fn firmware_boots_and_lives_on_granted_time() {
    let Some((board, elf)) = qemu() else { return };
    let mut device = QemuDevice::launch(&board, &elf, &config()).unwrap();
    for second in 1..=600 {
        device.step(Stimulus::Tick, now(second * 1_000_000)).unwrap();
    }
    assert!(device.deadline().is_none_or(|due| due > Monotonic::from_micros(600_000_000)));
}

#[test]
fn killing_qemu_is_reported_at_once_and_by_name() {
    let Some((board, elf)) = qemu() else { return };
    let mut device = QemuDevice::launch(&board, &elf, &config()).unwrap();
    device.step(Stimulus::Tick, now(1)).unwrap();
    let killed =
        std::process::Command::new("kill").args(["-KILL", &device.process_id().to_string()]).status();
    assert!(killed.unwrap().success());
    let fault = device.step(Stimulus::Tick, now(2)).unwrap_err();
    assert!(
        matches!(&fault, DeviceFault::Exited { what: "QEMU", status, .. } if status.contains('9')),
        "{fault}"
    );
}

#[test]
fn a_guest_that_is_stopped_is_silence_within_the_limit() {
    let Some((mut board, elf)) = qemu() else { return };
    board.timeouts.step = std::time::Duration::from_secs(1);
    let mut device = QemuDevice::launch(&board, &elf, &config()).unwrap();
    let pid = device.process_id().to_string();
    assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let fault = device.step(Stimulus::Tick, now(1)).unwrap_err();
    assert!(fault.to_string().contains("waited 1s for idle after a grant of time"), "{fault}");
}

#[test]
fn no_qemu_outlives_its_device() {
    let Some((board, elf)) = qemu() else { return };
    let device = QemuDevice::launch(&board, &elf, &config()).unwrap();
    let pid = device.process_id();
    let panicked = std::thread::spawn(move || {
        let _device = device;
        panic!("on purpose: the device must go with the thread");
    });
    assert!(panicked.join().is_err());
    let alive = std::process::Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    assert!(!alive.status.success(), "QEMU {pid} is still there");
}

#[test]
fn a_journal_names_the_firmware_that_was_booted() {
    let Some((board, elf)) = qemu() else { return };
    let file = scenario("device/sas-expired");
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial {
        file: &file,
        board: &board,
        elf: Some(&elf),
        seed: None,
        folder: Some(folder.path().to_owned()),
        snapshots: None,
        pool: &Pool::default(),
    };
    let runs = trial.run();
    assert_eq!(runs[0].verdict, Verdict::Pass, "{:?}", runs[0].findings);
    let journal = std::fs::read_to_string(runs[0].folder.as_ref().unwrap().join("journal.jsonl")).unwrap();
    let header = journal.lines().next().unwrap();
    assert!(header.contains(&format!("\"elf_sha256\":\"{}\"", elf.sha256())), "{header}");
    let sum = std::process::Command::new("sha256sum").arg(elf.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(elf.sha256()), "the hash is the file's");
}
