//! Firmware that dies in every way there is on the emulated board behind the probe bridge, and what is found out about
//! each. In CI a missing QEMU fails these tests; elsewhere they say what is missing and pass over.
#![cfg(feature = "probe")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use hilarm_board::probe::{Pool, ProbeDevice};
use hilarm_board::{
    Autopsy, AutopsyVerdict, Board, CoreArchitecture, Device, DeviceFault, Elf, Heartbeat, LocalBoards,
    ProcessorState, Stimulus,
};
use hilarm_link::{Command, Value};
use probe_rs::{CoreDump, RegisterId, RegisterValue};

use support::device::{config, now};
use support::image::{bench, shipped};

/// What tests of this folder share; not each of them needs all of it.
#[allow(dead_code)]
mod support {
    pub(crate) mod device;
    pub(crate) mod image;
}

/// A device is given up after this long: shorter than the board's own limit, so that a hang is found out soon.
const STEP_LIMIT: Duration = Duration::from_secs(2);
/// Looking, and bringing the board back.
const AUTOPSY_LIMIT: Duration = Duration::from_secs(5);

/// The board of the shipped file, a Cortex-M3.
fn cortex_m3() -> Board {
    let mut board = shipped("qemu-mps2-an385-probe");
    board.timeouts.step = STEP_LIMIT;
    board
}

/// Its sister with a Cortex-M33.
fn cortex_m33() -> Board {
    let mut board = Board { chip: Some("mps2-an505".to_owned()), ..cortex_m3() };
    let (emulator, probe) = (board.emulator.as_mut().unwrap(), board.probe.as_mut().unwrap());
    emulator.machine = "mps2-an505".to_owned();
    emulator.core = CoreArchitecture::Armv8m;
    probe.config_address = 0x3830_0000;
    probe.chip_id.retain(|register| register.name == "CPUID");
    probe.chip_id[0].value = 0x410F_D210;
    let firmware = board.firmware.as_mut().unwrap();
    firmware.triple = "thumbv8m.main-none-eabihf".to_owned();
    firmware.target = "mps2-an505".to_owned();
    board
}

fn boot(pool: &Pool, board: &Board, elf: &Elf) -> ProbeDevice {
    let mut device = pool.lease(board, elf, 1).unwrap().boot(&config("pump-1", 9)).unwrap();
    device.step(Stimulus::Tick, now(0)).unwrap();
    device
}

fn crash(by: &str) -> Stimulus {
    let args = vec![("by".to_owned(), Value::Text(by.to_owned()))];
    Stimulus::Command { id: 7, command: Command::RunBehaviour { name: "crash".to_owned(), args } }
}

/// Has the device die, looks at it, and sees that the very same board serves the next run.
fn died(by: &str) -> Option<(DeviceFault, Autopsy)> {
    died_on(cortex_m3(), by)
}

fn died_on(board: Board, by: &str) -> Option<(DeviceFault, Autopsy)> {
    let (board, elf) = bench(board)?;
    let pool = Pool::new(LocalBoards::default());
    let mut device = boot(&pool, &board, &elf);
    let process = device.station().unwrap().process_id();
    assert_eq!(device.autopsy(), None, "nothing befell it yet");
    let fault = device.step(crash(by), now(5_000_000)).unwrap_err();
    let began = Instant::now();
    let autopsy = device.autopsy().unwrap();
    println!("{autopsy}\nlooked at in {:?}", began.elapsed());
    assert!(began.elapsed() < AUTOPSY_LIMIT, "took {:?}", began.elapsed());
    assert_eq!(autopsy.missing, [""; 0]);
    let told = autopsy.last_command.as_ref().unwrap();
    assert!(told.at_us == 5_000_000 && told.what.contains("\"crash\""), "{told:?}");
    drop(device);
    assert_eq!(pool.idle(), 1, "the board is usable again");
    let next = boot(&pool, &board, &elf);
    assert_eq!(next.station().unwrap().process_id(), process, "it is the same one");
    Some((fault, autopsy))
}

/// Whether the backtrace names the function with its file, in this order of calls.
fn assert_backtrace(autopsy: &Autopsy, calls: &[(&str, &str)]) {
    let mut frames = autopsy.backtrace.iter();
    for (function, file) in calls {
        let found = frames.any(|frame| {
            let source = frame.source.as_ref().is_some_and(|source| source.file.ends_with(file));
            frame.function.ends_with(function) && source
        });
        assert!(found, "no {function} in {file}, in this order: {autopsy}");
    }
}

/// Reads the dump as probe-rs does, without any chip, and answers with its program counter.
fn pc_in_dump(autopsy: &Autopsy) -> u32 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &autopsy.core_dump.as_ref().unwrap().0).unwrap();
    let dump = CoreDump::load(file.path()).unwrap();
    match dump.registers.get(&RegisterId(15)).unwrap() {
        RegisterValue::U32(pc) => *pc,
        other => panic!("{other:?}"),
    }
}

fn register(autopsy: &Autopsy, name: &str) -> u32 {
    let registers = &autopsy.processor.as_ref().unwrap().registers;
    registers.iter().find(|(known, _)| known == name).unwrap().1.0
}

#[test]
fn a_write_through_a_null_pointer_is_a_fault_at_its_line() {
    let Some((fault, autopsy)) = died("null-write") else { return };
    assert!(matches!(fault, DeviceFault::Processor(_)), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::Fault);
    let processor = autopsy.processor.as_ref().unwrap();
    assert_eq!(processor.state, ProcessorState::CaughtAtFault);
    let words = processor.fault_status.words().join("\n");
    assert!(words.contains("CFSR.DACCVIOL: a forbidden access to data, at 0x00000000"), "{words}");
    assert!(words.contains("HFSR.FORCED") && words.contains("DFSR.VCATCH"), "{words}");
    assert_eq!(processor.exception.unwrap().exception, 3);
    assert_backtrace(
        &autopsy,
        &[
            ("crash::write_null", "firmware/device/src/crash.rs"),
            ("crash::carry_out", "firmware/device/src/crash.rs"),
        ],
    );
    assert!(autopsy.backtrace.iter().all(|frame| !frame.guessed), "{autopsy}");
    assert!(
        autopsy
            .headline()
            .starts_with("fault in hilarm_device::crash::write_null (firmware/device/src/crash.rs:")
    );
    assert_eq!(pc_in_dump(&autopsy), register(&autopsy, "pc"));
}

#[test]
fn an_overflow_of_the_stack_is_a_fault_in_the_recursion() {
    let Some((_, autopsy)) = died("stack-overflow") else { return };
    assert_eq!(autopsy.verdict, AutopsyVerdict::Fault);
    assert_backtrace(
        &autopsy,
        &[
            ("crash::descend", "firmware/device/src/crash.rs"),
            ("crash::carry_out", "firmware/device/src/crash.rs"),
        ],
    );
    let descents: u32 = autopsy
        .backtrace
        .iter()
        .filter(|frame| frame.function.ends_with("crash::descend"))
        .map(|frame| frame.repeated + 1)
        .sum();
    assert!(descents > 50, "{autopsy}");
    assert_eq!(pc_in_dump(&autopsy), register(&autopsy, "pc"));
}

#[test]
fn a_panic_has_its_words_and_who_panicked() {
    let Some((fault, autopsy)) = died("panic") else { return };
    assert!(matches!(fault, DeviceFault::Panicked { .. }), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::Panic);
    assert!(autopsy.signs.panic.as_ref().unwrap().contains("told to panic"), "{autopsy}");
    assert_backtrace(
        &autopsy,
        &[
            ("failure::die", "firmware/device/src/failure.rs"),
            ("crash::carry_out", "firmware/device/src/crash.rs"),
        ],
    );
    let headline = autopsy.headline();
    assert!(headline.starts_with("panic in hilarm_device::crash::carry_out"), "{headline}");
    assert!(autopsy.last_lines.iter().any(|line| line.contains("PANIC: told to panic")), "{autopsy}");
}

#[test]
fn a_hang_with_interrupts_off_is_a_heartbeat_that_stands_where_the_loop_is() {
    let Some((fault, autopsy)) = died("hang") else { return };
    assert!(matches!(fault, DeviceFault::Silent { .. }), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::Hang);
    assert_eq!(autopsy.signs.heartbeat, Heartbeat::Stands);
    assert!(autopsy.signs.interrupts_masked);
    assert_eq!(autopsy.processor.as_ref().unwrap().state, ProcessorState::Running);
    let last = autopsy.heartbeat.last().unwrap();
    assert!(last.to_ms - last.from_ms >= 1000, "it stood long before anybody gave up: {autopsy}");
    assert_backtrace(&autopsy, &[("crash::carry_out", "firmware/device/src/crash.rs")]);
}

#[test]
fn a_starved_watchdog_is_a_reboot_caught_before_memory_is_made_anew() {
    let Some((_, autopsy)) = died("watchdog") else { return };
    assert_eq!(autopsy.verdict, AutopsyVerdict::Reboot);
    assert_eq!(autopsy.processor.as_ref().unwrap().state, ProcessorState::CaughtAtReset);
    assert_eq!(autopsy.signs.panic, None);
    assert!(autopsy.last_lines.iter().any(|line| line.contains("boot")), "{autopsy}");
    assert_eq!(autopsy.backtrace, []);
}

#[test]
fn a_cortex_m33_is_looked_into_alike() {
    for (by, verdict) in [
        ("null-write", AutopsyVerdict::Fault),
        ("panic", AutopsyVerdict::Panic),
        ("hang", AutopsyVerdict::Hang),
        ("watchdog", AutopsyVerdict::Reboot),
    ] {
        let Some((_, autopsy)) = died_on(cortex_m33(), by) else { return };
        assert_eq!(autopsy.verdict, verdict, "{by}");
        if verdict != AutopsyVerdict::Reboot {
            assert_backtrace(&autopsy, &[("crash::carry_out", "firmware/device/src/crash.rs")]);
        }
    }
}

#[test]
fn a_probe_that_is_pulled_out_is_a_probe_error_and_never_a_verdict_on_the_device() {
    let Some((board, elf)) = bench(cortex_m3()) else { return };
    let pool = Pool::new(LocalBoards::default());
    let mut device = boot(&pool, &board, &elf);
    device.station().unwrap().unplug();
    device.step(crash("panic"), now(1)).unwrap_err();
    let began = Instant::now();
    let autopsy = device.autopsy().unwrap();
    assert!(began.elapsed() < AUTOPSY_LIMIT, "took {:?}", began.elapsed());
    assert_eq!(autopsy.verdict, AutopsyVerdict::ProbeError);
    assert!(autopsy.processor.is_none() && autopsy.core_dump.is_none() && !autopsy.missing.is_empty());
    drop(device);
    assert_eq!(pool.idle(), 0, "such a board is opened anew");
    boot(&pool, &board, &elf);
}
