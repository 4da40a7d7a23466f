//! A thousand times unplugged and plugged in again. Alone in its process, because it counts descriptors and threads.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use hilarm_board::{SerialAddress, SerialWire, Wire, WireError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use serialport::{SerialPort, TTYPort};

const LIMIT: Duration = Duration::from_secs(10);
const CYCLES: u32 = 1000;

/// A board that is plugged in under `name`, as udev would name it.
fn plug_in(name: &Path) -> TTYPort {
    let (board, port) = TTYPort::pair().unwrap();
    let _ = std::fs::remove_file(name);
    symlink(port.name().unwrap(), name).unwrap();
    board
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// What comes next: bytes, or the end.
fn next(wire: &mut SerialWire) -> Result<Vec<u8>, WireError> {
    let mut buffer = [0; 64];
    let give_up = Instant::now() + LIMIT;
    loop {
        match wire.receive(&mut buffer)? {
            0 => {
                let left = give_up.checked_duration_since(Instant::now()).expect("news within the limit");
                let mut on = [PollFd::from_borrowed_fd(wire.readiness().expect("open"), PollFlags::IN)];
                poll(&mut on, Some(&Timespec::try_from(left).unwrap())).unwrap();
            }
            length => return Ok(buffer[..length].to_vec()),
        }
    }
}

#[test]
fn a_thousand_times_unplugged_leaves_nothing_behind_and_never_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("usb-board-if02");
    let mut board = plug_in(&name);
    let mut wire = SerialWire::open(SerialAddress::Path(name.clone()), 115_200).unwrap();
    let before = (count("/proc/self/fd"), count("/proc/self/task"));
    let began = Instant::now();
    for cycle in 0..CYCLES {
        board.write_all(b"boot").unwrap();
        assert_eq!(next(&mut wire).unwrap(), b"boot", "cycle {cycle}");
        // Every other time in the middle of what the harness says.
        if cycle % 2 == 0 {
            let _ = wire.send(&[0x55; 4096]).unwrap();
        }
        drop(board);
        let error = loop {
            if let Err(error) = next(&mut wire) {
                break error;
            }
        };
        assert!(matches!(error, WireError::Gone { .. }), "cycle {cycle}: {error}");
        board = plug_in(&name);
        wire.renew(LIMIT).unwrap();
    }
    println!("{CYCLES} cycles in {:?}", began.elapsed());
    let after = (count("/proc/self/fd"), count("/proc/self/task"));
    assert_eq!(after, before, "descriptors and threads");
}
