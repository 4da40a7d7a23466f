//! The emulated board behind the probe bridge: attached, flashed, reset, run, and lost. In CI a missing QEMU fails
//! these tests; elsewhere they say what is missing and pass over.
#![cfg(feature = "probe")]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use hilarm_board::probe::{Flashed, Pool, ProbeDevice, ProbeError, Station};
use hilarm_board::{
    Board, Device, DeviceFault, DeviceOutput, Elf, LocalBoards, LocalUnit, ResetKind, SerialWire, Stimulus,
};
use hilarm_link::{Command, DeviceEvent, FromDevice};

use support::device::{config, now};
use support::image::{bench, shipped};

/// What tests of this folder share; not each of them needs all of it.
#[allow(dead_code)]
mod support {
    pub(crate) mod device;
    pub(crate) mod image;
}

/// A failure is found out well before any limit of a request.
const AT_ONCE: Duration = Duration::from_secs(3);

fn open(board: &Board, elf: &Elf) -> Result<Station, ProbeError> {
    Station::open(board, elf, &LocalUnit::default())
}

/// Nonce of the boot, and the frames of the first minute.
fn first_minute(device: &mut ProbeDevice) -> (u64, Vec<DeviceOutput>) {
    let connect = Command::Connect { attempts: Some(3), gap_ms: Some(1000) };
    let mut output = device.step(Stimulus::Command { id: 1, command: connect }, now(0)).unwrap();
    for second in 1..=60 {
        output.extend(device.step(Stimulus::Tick, now(second * 1_000_000)).unwrap());
    }
    let nonce = output.iter().find_map(|output| match output {
        DeviceOutput::Report(FromDevice::Event(DeviceEvent::Booted { nonce, .. })) => Some(*nonce),
        _ => None,
    });
    output.retain(|output| matches!(output, DeviceOutput::Link(_)));
    (nonce.unwrap(), output)
}

#[test]
fn a_board_is_flashed_once_and_lives_the_same_life_after_every_reset() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let station = open(&board, &elf).unwrap();
    let opened = station.opened();
    println!("attach {:?}, flash {:?}", opened.attach, opened.flash);
    assert_eq!(opened.flashed, Flashed::Written);
    let mut device = station.boot(&config("pump-1", 9)).unwrap();
    let first = first_minute(&mut device);
    assert!(!first.1.is_empty(), "a device looks for its hub");
    let began = Instant::now();
    let mut device = device.into_station().unwrap().boot(&config("pump-1", 9)).unwrap();
    println!("reset and boot {:?}", began.elapsed());
    let again = first_minute(&mut device);
    assert_eq!(again.0, first.0, "the same seed, so the same nonce");
    assert!(again.1 == first.1, "the same frames, {} and {}", again.1.len(), first.1.len());
}

/// The line of `firmware/device/src/device.rs` that this text stands in.
fn source_line(text: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware/device/src/device.rs");
    1 + std::fs::read_to_string(path).unwrap().lines().position(|line| line.contains(text)).unwrap()
}

#[test]
fn a_log_line_names_the_file_and_the_line_that_it_stands_in() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let mut device = open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    let nonce = first_minute(&mut device).0;
    let lines = device.station().unwrap().last_log_lines(64);
    let at = source_line("info!(\"boot ");
    let expected = format!("0.000000 boot {nonce:016x} of mps2-an385 (device/src/device.rs:{at})");
    assert_eq!(lines.iter().filter(|line| line.text == expected).count(), 1, "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.text.starts_with("12.000000 socket")),
        "by the granted time: {lines:#?}"
    );
    assert_eq!(device.station().unwrap().last_log_lines(1), lines[lines.len() - 1..]);
    let mut device = device.into_station().unwrap().boot(&config("pump-1", 9)).unwrap();
    device.step(Stimulus::Tick, now(1)).unwrap();
    let again = device.station().unwrap().last_log_lines(64);
    let boots = again.iter().filter(|line| line.text.contains(" boot ")).count();
    assert_eq!(boots, 1, "the nonce cuts off what an earlier boot said: {again:#?}");
}

#[test]
fn the_log_of_another_image_is_one_clear_line() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    // The same code with the addresses of its format strings changed: what a forgotten rebuild looks like.
    let mut bytes = std::fs::read(elf.path()).unwrap();
    let (known, unknown) = (b"\"defmt_", b"\"defmt?");
    let found: Vec<usize> =
        bytes.windows(known.len()).enumerate().filter(|(_, at)| at == known).map(|(at, _)| at).collect();
    assert!(!found.is_empty());
    found.iter().for_each(|&at| bytes[at..at + unknown.len()].copy_from_slice(unknown));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let elf = Elf::open(file.path(), "thumbv7m-none-eabi").unwrap();
    let mut device = open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    first_minute(&mut device);
    let lines = device.station().unwrap().last_log_lines(64);
    let told: Vec<_> = lines.iter().filter(|line| line.text.contains("cannot be read")).collect();
    assert_eq!(told.len(), 1, "{lines:#?}");
    assert!(told[0].text.contains("is nothing that this image says"), "{told:?}");
}

#[test]
fn another_configuration_is_another_device() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let mut device = open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    let first = first_minute(&mut device);
    let mut other = config("pump-2", 10);
    other.seed = 2;
    let mut device = device.into_station().unwrap().boot(&other).unwrap();
    let second = first_minute(&mut device);
    assert_ne!(first.0, second.0);
    assert!(first.1 != second.1, "its frames come from its own hardware address");
}

#[test]
fn the_reset_line_does_as_well_as_the_core_s_own_request() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let soft = first_minute(&mut open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap());
    let board = Board { reset: vec![ResetKind::Nreset], ..board };
    let by_line = first_minute(&mut open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap());
    assert_eq!(by_line.0, soft.0, "the same nonce");
    assert!(by_line.1 == soft.1, "the same frames");
}

#[test]
fn a_ladder_climbs_from_what_does_not_work_to_what_does() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let climbing = Board { reset: vec![ResetKind::Power, ResetKind::Soft], ..board.clone() };
    open(&climbing, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    let stuck = Board { reset: vec![ResetKind::Power], ..board };
    let error = open(&stuck, &elf).unwrap().boot(&config("pump-1", 9)).map(drop).unwrap_err();
    assert!(matches!(error, ProbeError::NotReset { .. }), "{error}");
    assert!(
        error.to_string().contains("Power: running the power hook: boards.local.yaml names none"),
        "{error}"
    );
}

#[test]
fn a_power_hook_is_run_and_the_chip_attached_anew() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("switched");
    let unit =
        LocalUnit { power: vec!["touch".to_owned(), mark.display().to_string()], ..LocalUnit::default() };
    let board = Board { reset: vec![ResetKind::Power], ..board };
    let station = Station::open(&board, &elf, &unit).unwrap();
    station.boot(&config("pump-1", 9)).unwrap();
    assert!(mark.exists());
}

#[test]
fn the_wrong_chip_is_refused_before_anything_is_written() {
    let Some((mut board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let spec = board.probe.as_mut().unwrap();
    spec.chip_id.last_mut().unwrap().value = 0x410F_D210; // a Cortex-M33
    let error = open(&board, &elf).unwrap_err();
    let ProbeError::WrongChip { register, .. } = &error else { panic!("{error}") };
    assert_eq!(register, "CPUID");
    assert!(error.to_string().contains("mps2-an385 has 0x410fd210"), "{error}");
}

#[test]
fn a_board_without_anything_to_know_its_chip_by_is_not_touched() {
    let Some((mut board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    board.probe.as_mut().unwrap().chip_id.clear();
    let error = open(&board, &elf).unwrap_err().to_string();
    assert!(error.contains("`probe.chip_id`"), "{error}");
}

#[test]
fn a_board_on_the_desk_that_is_not_there_is_an_error_that_says_what_is() {
    let Some((mut board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    board.emulator = None;
    board.probe.as_mut().unwrap().vid = Some("ffff".to_owned());
    let unit = LocalUnit { port: Some("/dev/null".to_owned()), ..LocalUnit::default() };
    let error = Station::open(&board, &elf, &unit).unwrap_err();
    let is_clear =
        matches!(error, ProbeError::NoProbe { .. } | ProbeError::Failed { doing: "opening the link", .. });
    assert!(is_clear, "{error}");
}

#[test]
fn a_probe_that_is_pulled_out_ends_every_request_at_once() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let mut device = open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    device.step(Stimulus::Tick, now(1)).unwrap();
    device.station().unwrap().unplug();
    let began = Instant::now();
    let fault = device.step(Stimulus::Tick, now(2)).unwrap_err();
    assert!(matches!(fault, DeviceFault::Probe { .. }), "{fault}");
    assert!(fault.to_string().starts_with("probe-error: "), "{fault}");
    let error = device.station().unwrap().session().read_word(0).unwrap_err();
    assert!(matches!(error, ProbeError::Gone { .. }), "{error}");
    assert!(device.into_station().is_none(), "such a board is not used again");
    assert!(began.elapsed() < AT_ONCE, "took {:?}", began.elapsed());
}

#[test]
fn a_killed_emulator_is_a_probe_error_that_names_it() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let mut device = open(&board, &elf).unwrap().boot(&config("pump-1", 9)).unwrap();
    let id = device.station().unwrap().process_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    let began = Instant::now();
    let fault = device.step(Stimulus::Tick, now(1)).unwrap_err();
    assert!(matches!(&fault, DeviceFault::Probe { error } if error.contains("QEMU")), "{fault}");
    drop(device);
    assert!(began.elapsed() < AT_ONCE, "took {:?}", began.elapsed());
}

#[test]
fn a_board_that_lost_its_probe_is_not_kept_and_the_next_lease_has_another() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let pool = Pool::new(LocalBoards::default());
    let device = pool.lease(&board, &elf, 1).unwrap().boot(&config("pump-1", 9)).unwrap();
    device.station().unwrap().unplug();
    drop(device);
    assert_eq!(pool.idle(), 0, "a lost board does not go back");
    let mut next = pool.lease(&board, &elf, 1).unwrap().boot(&config("pump-1", 9)).unwrap();
    next.step(Stimulus::Tick, now(1)).unwrap();
}

#[test]
fn a_pool_opens_a_board_once_and_hands_it_on() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let pool = Pool::new(LocalBoards::default());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let device = pool.lease(&board, &elf, 1).unwrap().boot(&config("pump-1", 9)).unwrap();
        ids.push(device.station().unwrap().process_id());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let mut lease = pool.lease(&board, &elf, 2).unwrap();
    let two = [lease.boot(&config("pump-1", 9)).unwrap(), lease.boot(&config("pump-2", 10)).unwrap()];
    assert!(lease.boot(&config("pump-3", 11)).is_err(), "a run gets as many boards as it asked for");
    drop(two);
    assert_eq!(pool.idle(), 2);
}

#[test]
fn more_devices_than_boards_on_the_desk_are_refused() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let board = Board { emulator: None, ..board };
    let pool = Pool::new(LocalBoards::default());
    let error = pool.lease(&board, &elf, 2).map(drop).unwrap_err().to_string();
    assert!(error.contains("2 boards") && error.contains("have 1"), "{error}");
}

#[test]
fn a_flash_that_takes_bytes_and_keeps_its_own_is_protected() {
    let Some((mut board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    // Behind the description of one chip stands another, whose code memory the core cannot write.
    board.emulator.as_mut().unwrap().machine = "netduinoplus2".to_owned();
    board.emulator.as_mut().unwrap().nic = None;
    board.probe.as_mut().unwrap().chip_id.truncate(1);
    let error = open(&board, &elf).unwrap_err();
    assert!(matches!(error, ProbeError::Protected { .. }), "{error}");
    assert!(error.to_string().starts_with("the flash of mps2-an385 is protected: "), "{error}");
    assert!(error.into_fault().to_string().starts_with("probe-error: "));
}

#[test]
fn a_serial_port_that_somebody_else_has_open_is_busy_before_the_probe_is_touched() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let (_master, slave) = serialport::TTYPort::pair().unwrap();
    let port = serialport::SerialPort::name(&slave).unwrap();
    drop(slave);
    let holder = SerialWire::open(port.parse().unwrap(), 115_200).unwrap();
    let board = Board { emulator: None, ..board };
    let unit = LocalUnit { port: Some(port.clone()), ..LocalUnit::default() };
    let error = Station::open(&board, &elf, &unit).unwrap_err();
    let ProbeError::Failed { doing: "opening the link", error } = error else { panic!("{error}") };
    assert!(error.contains(&format!("{port} is busy: this process itself has it open")), "{error}");
    drop(holder);
    let error = Station::open(&board, &elf, &unit).unwrap_err();
    assert!(!error.to_string().contains("busy"), "the port is free: {error}");
}

#[test]
fn what_a_chip_is_known_by_is_told_as_it_reads() {
    let Some((board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    let read = open(&board, &elf).unwrap().chip_id().unwrap();
    assert_eq!(read[0], ("DPIDR".to_owned(), 0x2BA0_1477));
    assert_eq!((read[1].0.as_str(), read[1].1 & 0xFF0F_FFF0), ("CPUID", 0x410F_C230));
    assert_ne!(read[1].1 & 0xF, 0, "its revision, which the board's file leaves open: {:#x}", read[1].1);
}

#[test]
fn a_machine_that_qemu_does_not_know_is_quoted_at_once() {
    let Some((mut board, elf)) = bench(shipped("qemu-mps2-an385-probe")) else { return };
    board.emulator.as_mut().unwrap().machine = "toaster".to_owned();
    let began = Instant::now();
    let error = open(&board, &elf).unwrap_err().to_string();
    assert!(error.contains("QEMU ended") && error.contains("unsupported machine type"), "{error}");
    assert!(began.elapsed() < AT_ONCE, "took {:?}", began.elapsed());
}
