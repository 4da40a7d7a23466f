//! Programs that go wrong: caught faults, resets by themselves, sleep, empty flash.

use std::time::Instant;

use probe_rs::{Core, CoreDump, CoreStatus, HaltReason, MemoryInterface, VectorCatchCondition};

use crate::emulator::{Board, Emulator, LIMIT, attach, await_count, flash, flashed};

on_each_board!(
    a_hard_fault_is_caught_at_its_handler,
    a_hard_fault_that_is_not_caught_runs_its_handler,
    a_program_that_resets_itself_is_noticed,
    a_reset_by_the_program_is_caught_when_asked,
    a_sleeping_core_halts_dumps_and_runs_again,
    a_blank_board_is_not_let_go_but_shows_a_lockup,
);

fn running<'a>(session: &'a mut probe_rs::Session, board: Board) -> Core<'a> {
    let mut core = session.core(0).unwrap();
    core.reset().unwrap();
    await_count(&mut core, board, 0);
    core
}

fn pc(core: &mut Core) -> u64 {
    core.read_core_reg(core.program_counter()).unwrap()
}

/// Halts the program again and again until it is where it should come to.
fn await_halt_at(core: &mut Core, address: u64) {
    let since = Instant::now();
    while core.halt(LIMIT).unwrap().pc != address {
        assert!(since.elapsed() < LIMIT, "it does not come to {address:#x}");
        core.run().unwrap();
    }
}

const NOWHERE: u32 = 0x9000_0000;

fn a_hard_fault_is_caught_at_its_handler(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = running(&mut session, board);
    core.enable_vector_catch(VectorCatchCondition::HardFault).unwrap();
    core.write_word_32(board.image.fault_order(), NOWHERE).unwrap();
    core.wait_for_core_halted(LIMIT).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Exception));
    assert_eq!(pc(&mut core), board.image.hard_fault_handler());
    const BFAR: u64 = 0xE000_ED38;
    assert_eq!(core.read_word_32(BFAR).unwrap(), NOWHERE);
    // The board is usable again.
    core.reset_and_halt(LIMIT).unwrap();
    core.write_word_32(board.image.fault_order(), 0).unwrap();
    core.run().unwrap();
    await_count(&mut core, board, 0);
}

fn a_hard_fault_that_is_not_caught_runs_its_handler(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = running(&mut session, board);
    core.write_word_32(board.image.fault_order(), NOWHERE).unwrap();
    await_halt_at(&mut core, board.image.hard_fault_handler());
}

fn a_program_that_resets_itself_is_noticed(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = running(&mut session, board);
    let was_reset = |core: &mut Core| core.read_word_32(0xE000_EDF0).unwrap() & 1 << 25 != 0;
    assert!(!was_reset(&mut core));
    core.write_word_32(board.image.reset_order(), 1).unwrap();
    let since = Instant::now();
    while !was_reset(&mut core) {
        assert!(since.elapsed() < LIMIT, "the reset does not show");
    }
    assert!(!was_reset(&mut core), "reading clears it");
    await_count(&mut core, board, 0);
}

fn a_reset_by_the_program_is_caught_when_asked(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = running(&mut session, board);
    core.enable_vector_catch(VectorCatchCondition::CoreReset).unwrap();
    core.write_word_32(board.image.reset_order(), 1).unwrap();
    core.wait_for_core_halted(LIMIT).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Exception));
    assert_eq!(pc(&mut core), board.image.reset_handler());
    core.run().unwrap();
    await_count(&mut core, board, 0);
}

fn a_sleeping_core_halts_dumps_and_runs_again(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = running(&mut session, board);
    core.write_word_32(board.image.sleep_order(), 1).unwrap();
    let asleep = board.image.count_instruction() + 0x18;
    await_halt_at(&mut core, asleep);
    let ram = u64::from(board.image.ram);
    CoreDump::dump_core(&mut core, vec![ram..ram + 64, 0xE000_ED00..0xE000_ED40]).unwrap();
    core.run().unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
    core.reset_and_halt(LIMIT).unwrap();
    core.write_word_32(board.image.sleep_order(), 0).unwrap();
    core.run().unwrap();
    await_count(&mut core, board, 0);
}

fn a_blank_board_is_not_let_go_but_shows_a_lockup(board: Board) {
    let mut emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset().unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::LockedUp);
    core.halt(LIMIT).unwrap();
    assert!(core.status().unwrap().is_halted());
    core.run().unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::LockedUp);
    drop(core);
    drop(session);
    assert!(emulator.lives(), "QEMU aborts when a core locks up");
    // And the board takes firmware.
    let mut session = attach(&bridge, board);
    flash(&mut session, board);
    running(&mut session, board);
}
