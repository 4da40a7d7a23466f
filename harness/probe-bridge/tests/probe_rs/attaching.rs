//! Attaching in each way there is, and flashing.

use std::time::Instant;

use hilarm_probe_bridge::{Bridge, Listen};
use probe_rs::{CoreStatus, MemoryInterface, Permissions};

use crate::emulator::{Board, Emulator, LIMIT, attach, await_count, flash, flashed, open, registry};

on_each_board!(
    a_blank_board_is_found_halted,
    the_image_is_flashed_and_verified,
    an_attach_under_reset_halts_at_the_first_instruction,
    a_debugger_over_tcp_is_served_like_one_over_a_unix_socket,
    a_program_that_runs_goes_on_under_an_attach_and_after_it,
);

fn a_blank_board_is_found_halted(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let since = Instant::now();
    let mut session = attach(&bridge, board);
    println!("{}: attached in {:?}", board.machine, since.elapsed());
    assert!(session.core(0).unwrap().status().unwrap().is_halted());
}

fn the_image_is_flashed_and_verified(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let since = Instant::now();
    flash(&mut session, board);
    println!("{}: flashed and verified 6 KB in {:?}", board.machine, since.elapsed());
    let expected = board.image.bytes();
    let mut found = vec![0; expected.len()];
    session.core(0).unwrap().read(u64::from(board.image.flash), &mut found).unwrap();
    assert!(found == expected);
}

fn an_attach_under_reset_halts_at_the_first_instruction(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    flash(&mut attach(&bridge, board), board);
    let mut session = open(&bridge)
        .attach_under_reset_with_registry(board.machine, Permissions::default(), &registry())
        .unwrap();
    let mut core = session.core(0).unwrap();
    assert!(core.status().unwrap().is_halted());
    let pc: u64 = core.read_core_reg(core.program_counter()).unwrap();
    assert_eq!(pc, board.image.reset_handler());
}

fn a_debugger_over_tcp_is_served_like_one_over_a_unix_socket(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = Bridge::start(emulator.config(Listen::Loopback)).unwrap();
    assert!(bridge.selector().starts_with("20b7:9db1:tcp:127.0.0.1:"), "{}", bridge.selector());
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    assert_eq!(core.reset_and_halt(LIMIT).unwrap().pc, board.image.reset_handler());
}

fn a_program_that_runs_goes_on_under_an_attach_and_after_it(board: Board) {
    let emulator = Emulator::start(board);
    let mut bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    session.core(0).unwrap().reset().unwrap();
    drop(session);
    // A new bridge meets a machine that runs.
    bridge.stop();
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
    let counted = core.read_word_32(board.image.counter()).unwrap();
    await_count(&mut core, board, counted);
}
