//! The stock probe-rs library on QEMU through the bridge, on a Cortex-M3 and a Cortex-M33.

mod emulator;
mod image;

use std::time::{Duration, Instant};

use emulator::{Board, Emulator, MPS2_AN385, MPS2_AN505, attach};
use probe_rs::flashing::{DownloadOptions, FlashLoader};
use probe_rs::{Core, CoreStatus, HaltReason, MemoryInterface, Session};

const LIMIT: Duration = Duration::from_secs(5);

/// Makes one test of each function for each board.
macro_rules! on_each_board {
    ($($test:ident),* $(,)?) => {
        mod mps2_an385 {
            $(#[test] fn $test() { super::$test(super::MPS2_AN385); })*
        }
        mod mps2_an505 {
            $(#[test] fn $test() { super::$test(super::MPS2_AN505); })*
        }
    };
}

on_each_board!(
    attaches_to_a_blank_board_and_finds_it_halted,
    flashes_and_verifies_the_image,
    resets_and_halts_at_the_first_instruction,
);

fn flash(session: &mut Session, board: Board) {
    let mut loader: FlashLoader = session.target().flash_loader();
    loader.add_data(u64::from(board.image.flash), &board.image.bytes()).unwrap();
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(session, options).unwrap();
}

fn pc(core: &mut Core) -> u64 {
    core.read_core_reg(core.program_counter()).unwrap()
}

fn attaches_to_a_blank_board_and_finds_it_halted(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let since = Instant::now();
    let mut session = attach(&bridge, board);
    println!("attach: {:?}", since.elapsed());
    let mut core = session.core(0).unwrap();
    assert!(core.status().unwrap().is_halted());
}

fn flashes_and_verifies_the_image(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let since = Instant::now();
    flash(&mut session, board);
    println!("flash: {:?}", since.elapsed());
    let expected = board.image.bytes();
    let mut flashed = vec![0; expected.len()];
    session.core(0).unwrap().read(u64::from(board.image.flash), &mut flashed).unwrap();
    assert!(flashed == expected);
}

fn resets_and_halts_at_the_first_instruction(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    flash(&mut session, board);
    let mut core = session.core(0).unwrap();
    let halted = core.reset_and_halt(LIMIT).unwrap();
    assert_eq!(halted.pc, board.image.reset_handler());
    assert_eq!(pc(&mut core), board.image.reset_handler());
    let sp: u32 = core.read_core_reg(core.stack_pointer()).unwrap();
    assert_eq!(sp, board.image.stack_top());
    core.run().unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
    core.halt(LIMIT).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Request));
}
