//! Deaths that no firmware of ours dies, brought about from within: a link that is cut, a processor that locks up, a
//! firmware that does not come up. In CI a missing QEMU fails these tests; elsewhere they pass over, aloud.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use hilarm_link::Command;
use probe_rs::MemoryInterface;

use super::*;
use crate::linked::Wire;
use crate::probe::ProbeError;
use crate::{Board, Elf, Heartbeat, LocalUnit, ProcessorEnd, ProcessorState, qemu_binary, qemu_version};

use self::device::{config, now};

/// What the tests beside `src` boot, too.
#[path = "../../../tests/support/device.rs"]
mod device;

const LIMIT: Duration = Duration::from_secs(5);

fn bench() -> Option<(Board, Elf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut board = Board::find(&root.join("boards"), "qemu-mps2-an385-probe").unwrap();
    board.timeouts.step = Duration::from_secs(1);
    let firmware = board.firmware.clone().unwrap();
    let elf = Elf::open(&firmware.image(&root.join("target/firmware")), &firmware.triple);
    match (qemu_version(&qemu_binary()), elf) {
        (Some(_), Ok(elf)) => Some((board, elf)),
        (_, elf) => {
            let reason = elf.err().map_or("no QEMU".to_owned(), |error| error.to_string());
            assert!(std::env::var_os("CI").is_none(), "CI must have QEMU and the firmware: {reason}");
            eprintln!("passed over: {reason}");
            None
        }
    }
}

fn open(board: &Board, elf: &Elf) -> Station {
    Station::open(board, elf, &LocalUnit::default()).unwrap()
}

fn ask_something() -> Stimulus {
    Stimulus::Command { id: 1, command: Command::ReadTwin }
}

const WHOLE: u8 = 0;
/// It carries nothing any more and does not say so.
const DEAF: u8 = 1;
/// It says that it broke.
const BROKEN: u8 = 2;

/// A wire that somebody may cut.
#[derive(Debug)]
struct Cable {
    wire: Box<dyn Wire>,
    state: Arc<AtomicU8>,
}

impl Wire for Cable {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        match self.state.load(Ordering::SeqCst) {
            WHOLE => self.wire.receive(buffer),
            DEAF => Ok(0),
            _ => Err(WireError::Gone { what: "unplugged".to_owned() }),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        match self.state.load(Ordering::SeqCst) {
            WHOLE => self.wire.send(bytes),
            DEAF => Ok(bytes.len()),
            _ => Err(WireError::Gone { what: "unplugged".to_owned() }),
        }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// A device whose link is cut like this once it is there, and what was found out about it.
fn cut(how: u8) -> Option<(DeviceFault, Autopsy)> {
    let (board, elf) = bench()?;
    let mut first = open(&board, &elf).boot(&config("pump-1", 9)).unwrap();
    let (linked, mut station) = (first.device.take().unwrap(), first.station.take().unwrap());
    let mut parts = linked.into_parts();
    let state = Arc::new(AtomicU8::new(WHOLE));
    parts.wire = Box::new(Cable { wire: parts.wire, state: Arc::clone(&state) });
    station.take_back(parts);
    station.rest().unwrap();
    let mut device = station.boot(&config("pump-1", 9)).unwrap();
    device.step(Stimulus::Tick, now(1)).unwrap();
    state.store(how, Ordering::SeqCst);
    let fault = device.step(ask_something(), now(1)).unwrap_err();
    let autopsy = device.autopsy().unwrap();
    assert!(device.into_station().is_none(), "such a board is opened anew");
    Some((fault, autopsy))
}

#[test]
fn a_link_that_falls_silent_while_the_firmware_lives_is_lost_and_no_hang() {
    let Some((fault, autopsy)) = cut(DEAF) else { return };
    assert!(matches!(fault, DeviceFault::Silent { .. }), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::LinkLost, "{autopsy}");
    assert_eq!(autopsy.signs.heartbeat, Heartbeat::Moves, "{autopsy}");
    assert_eq!(autopsy.processor.as_ref().map(|found| found.state), Some(ProcessorState::Running));
}

#[test]
fn a_link_that_breaks_is_lost() {
    let Some((fault, autopsy)) = cut(BROKEN) else { return };
    assert!(matches!(fault, DeviceFault::LinkLost { .. }), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::LinkLost, "{autopsy}");
    assert!(autopsy.headline().starts_with("link-lost: the link to the device broke"), "{autopsy}");
}

/// Wipes the vector table and lets the processor begin anew: nothing to run, and nobody to take the fault.
fn lock_up(station: &Station) -> Vec<u8> {
    let locked = station.session().ask("locking the processor up", LIMIT, |held| {
        let failed =
            |error: probe_rs::Error| ProbeError::Failed { doing: "locking up", error: error.to_string() };
        let mut core = held.session.core(0).map_err(failed)?;
        core.halt(LIMIT).map_err(failed)?;
        let mut table = vec![0; 1024];
        core.read(0, &mut table).map_err(failed)?;
        core.write(0, &[0; 1024]).map_err(failed)?;
        core.write_core_reg(core.program_counter(), 0_u32).map_err(failed)?;
        core.run().map_err(failed)?;
        Ok(table)
    });
    locked.unwrap()
}

#[test]
fn a_processor_that_locks_up_is_found_out_and_told_nothing_more() {
    let Some((board, elf)) = bench() else { return };
    let mut device = open(&board, &elf).boot(&config("pump-1", 9)).unwrap();
    device.step(Stimulus::Tick, now(1)).unwrap();
    let table = lock_up(device.station().unwrap());
    let began = Instant::now();
    while device.station().unwrap().vitals().end().is_none() {
        assert!(began.elapsed() < LIMIT, "nobody notices");
        std::thread::yield_now();
    }
    let fault = device.step(ask_something(), now(1)).unwrap_err();
    assert_eq!(fault, DeviceFault::Processor(ProcessorEnd::LockedUp));
    let autopsy = device.autopsy().unwrap();
    assert_eq!(autopsy.verdict, AutopsyVerdict::Lockup, "{autopsy}");
    assert_eq!(autopsy.processor.as_ref().map(|found| found.state), Some(ProcessorState::LockedUp));
    // What it runs from is whole again, and so is the board.
    let station = device.into_station().unwrap();
    let restored = station.session().ask("restoring the vector table", LIMIT, move |held| {
        let failed =
            |error: probe_rs::Error| ProbeError::Failed { doing: "restoring", error: error.to_string() };
        held.session.core(0).and_then(|mut core| core.write(0, &table)).map_err(failed)
    });
    restored.unwrap();
    station.boot(&config("pump-1", 9)).unwrap().step(Stimulus::Tick, now(1)).unwrap();
}

#[test]
fn a_firmware_that_does_not_come_up_says_why_and_where() {
    let Some((mut board, elf)) = bench() else { return };
    // The firmware finds no configuration where it looks.
    let spec = board.probe.as_mut().unwrap();
    spec.config_address += 64 * 1024;
    let error = open(&board, &elf).boot(&config("pump-1", 9)).map(drop).unwrap_err();
    let ProbeError::Boot { fault, autopsy } = &error else { panic!("{error}") };
    assert!(matches!(**fault, DeviceFault::Panicked { .. }), "{fault}");
    assert_eq!(autopsy.verdict, AutopsyVerdict::Panic);
    let told = error.to_string();
    assert!(told.starts_with("the firmware did not come up: panic in hilarm_"), "{told}");
    assert!(told.contains("no configuration blob in memory") && told.contains("read_config"), "{told}");
}
