//! QEMUs that stay open between runs: a later life is a life like the first, and what went wrong is not used again. In CI
//! a missing QEMU or image fails these tests; elsewhere they say what is missing and pass over.
#![allow(clippy::unwrap_used)]

use hilarm_board::{Device, DeviceFault, QemuDevice, QemuPool, Stimulus};
use hilarm_link::{Command, DeviceConfig, Value};

use support::device::{config, now};
use support::image::{bench, shipped};

/// What tests of this folder share; not each of them needs all of it.
#[allow(dead_code)]
mod support {
    pub(crate) mod device;
    pub(crate) mod image;
}

/// All that a device does in ten minutes without a hub: it boots, looks the hub up, and asks again and again.
fn life(device: &mut QemuDevice) -> Vec<String> {
    let command = Command::Connect { attempts: None, gap_ms: None };
    let mut output = device.step(Stimulus::Command { id: 1, command }, now(1)).unwrap();
    for second in 1..=600 {
        output.extend(device.step(Stimulus::Tick, now(second * 1_000_000)).unwrap());
    }
    output.iter().map(|output| format!("{output:?}")).collect()
}

fn kill(process_id: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &process_id.to_string()]).status();
    assert!(killed.unwrap().success());
}

fn is_there(process_id: u32) -> bool {
    let asked = std::process::Command::new("kill").args(["-0", &process_id.to_string()]).output();
    asked.unwrap().status.success()
}

#[test]
fn a_second_life_in_one_qemu_is_the_first_one_of_a_new_one() {
    for board in ["qemu-mps2-an385", "qemu-mps2-an505", "qemu-netduinoplus2"] {
        let Some((board, elf)) = bench(shipped(board)) else { return };
        let pool = QemuPool::default();
        let other = DeviceConfig { seed: 2, ..config("fan-1", 7) };
        let mut first = pool.boot(&board, &elf, &other).unwrap();
        let process_id = first.process_id();
        let another = life(&mut first);
        drop(first);
        let mut second = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
        assert_eq!(second.process_id(), process_id, "{}", board.id);
        let mut fresh = QemuDevice::launch(&board, &elf, &config("pump-1", 9)).unwrap();
        assert_ne!(fresh.process_id(), process_id);
        let life_of_second = life(&mut second);
        assert!(life_of_second.len() > 10 && life_of_second != another, "{life_of_second:?}");
        assert_eq!(life_of_second, life(&mut fresh), "{}", board.id);
    }
}

#[test]
fn two_devices_at_once_have_two_qemus_and_leave_both() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385")) else { return };
    let pool = QemuPool::default();
    let boot = |name, byte| pool.boot(&board, &elf, &config(name, byte)).unwrap();
    let (one, two) = (boot("pump-1", 9), boot("pump-2", 10));
    let mut first = [one.process_id(), two.process_id()];
    assert_ne!(first[0], first[1]);
    drop((one, two));
    let (one, two) = (boot("pump-2", 10), boot("pump-1", 9));
    let mut second = [one.process_id(), two.process_id()];
    first.sort_unstable();
    second.sort_unstable();
    assert_eq!(first, second);
}

#[test]
fn a_qemu_whose_device_failed_is_not_used_again() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385")) else { return };
    let pool = QemuPool::default();
    let mut device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    let failed = device.process_id();
    let by = ("by".to_owned(), Value::Text("panic".to_owned()));
    let command = Command::RunBehaviour { name: "crash".to_owned(), args: vec![by] };
    let fault = device.step(Stimulus::Command { id: 1, command }, now(1)).unwrap_err();
    assert!(matches!(fault, DeviceFault::Panicked { .. }), "{fault}");
    assert!(is_there(failed), "QEMU itself goes on");
    drop(device);
    assert!(!is_there(failed));
    let mut device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    assert_ne!(device.process_id(), failed);
    device.step(Stimulus::Tick, now(1)).unwrap();
}

#[test]
fn a_board_in_its_own_time_gets_a_qemu_of_its_own_each_time() {
    let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-live")) else { return };
    let pool = QemuPool::default();
    let device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    let first = device.process_id();
    drop(device);
    assert!(!is_there(first), "what is still in its wires is not for the next one");
    assert_ne!(pool.boot(&board, &elf, &config("pump-1", 9)).unwrap().process_id(), first);
}

#[test]
fn a_qemu_that_ended_while_nobody_used_it_is_no_loss() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385")) else { return };
    let pool = QemuPool::default();
    let device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    let ended = device.process_id();
    drop(device);
    kill(ended);
    let mut device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    assert_ne!(device.process_id(), ended);
    device.step(Stimulus::Tick, now(1)).unwrap();
}

#[test]
fn no_qemu_outlives_its_pool() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385")) else { return };
    let pool = QemuPool::default();
    let device = pool.boot(&board, &elf, &config("pump-1", 9)).unwrap();
    let process_id = device.process_id();
    drop(pool);
    drop(device);
    assert!(!is_there(process_id));
}
