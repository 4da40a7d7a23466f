//! Resets, halts, steps, breakpoints.

use std::time::Instant;

use probe_rs::{BreakpointCause, Core, CoreStatus, HaltReason, MemoryInterface, RegisterId};

use crate::emulator::{Board, Emulator, LIMIT, attach, await_count, flashed};

on_each_board!(
    a_reset_halts_at_the_first_instruction_with_its_stack,
    a_program_runs_after_a_reset_and_halts_on_request,
    steps_execute_one_instruction_each,
    a_hardware_breakpoint_is_hit_again_and_again,
    a_breakpoint_that_was_cleared_is_not_hit,
    core_registers_are_written_and_read,
    a_breakpoint_is_not_lost_to_a_read_at_the_same_time,
    breakpoints_of_a_bridge_that_is_gone_stop_nobody,
    resets_in_a_row_each_restart_the_program,
    a_session_that_ends_lets_the_program_run,
);

fn pc(core: &mut Core) -> u64 {
    core.read_core_reg(core.program_counter()).unwrap()
}

fn a_reset_halts_at_the_first_instruction_with_its_stack(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    let since = Instant::now();
    let halted = core.reset_and_halt(LIMIT).unwrap();
    println!("{}: reset and halted in {:?}", board.machine, since.elapsed());
    assert_eq!((halted.pc, pc(&mut core)), (board.image.reset_handler(), board.image.reset_handler()));
    let sp: u32 = core.read_core_reg(core.stack_pointer()).unwrap();
    assert_eq!(sp, board.image.stack_top());
}

fn a_program_runs_after_a_reset_and_halts_on_request(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset().unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
    await_count(&mut core, board, 0);
    core.halt(LIMIT).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Request));
    let stands_at = core.read_word_32(board.image.counter()).unwrap();
    assert_eq!(core.read_word_32(board.image.counter()).unwrap(), stands_at);
    core.run().unwrap();
    await_count(&mut core, board, stands_at);
}

fn steps_execute_one_instruction_each(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    let mut expected = core.reset_and_halt(LIMIT).unwrap().pc;
    for _ in 0..5 {
        expected += 2;
        assert_eq!(core.step().unwrap().pc, expected);
    }
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Step));
}

fn a_hardware_breakpoint_is_hit_again_and_again(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    assert_eq!(core.available_breakpoint_units().unwrap(), 6);
    core.set_hw_breakpoint(board.image.count_instruction()).unwrap();
    for round in 0..3 {
        core.run().unwrap();
        core.wait_for_core_halted(LIMIT).unwrap();
        let halted = CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Hardware));
        let unknown = CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Unknown));
        let status = core.status().unwrap();
        assert!(status == halted || status == unknown, "{status:?}");
        assert_eq!(pc(&mut core), board.image.count_instruction());
        assert_eq!(core.read_word_32(board.image.counter()).unwrap(), round);
    }
}

fn a_breakpoint_that_was_cleared_is_not_hit(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core.set_hw_breakpoint(board.image.count_instruction()).unwrap();
    core.clear_hw_breakpoint(board.image.count_instruction()).unwrap();
    core.run().unwrap();
    await_count(&mut core, board, 0);
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
}

fn core_registers_are_written_and_read(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core.write_core_reg(RegisterId(7), 0xDEAD_BEEF_u32).unwrap();
    assert_eq!(core.read_core_reg::<u32>(RegisterId(7)).unwrap(), 0xDEAD_BEEF);
    // MSP, which the stub has not; and the masks in one word.
    assert_eq!(core.read_core_reg::<u32>(RegisterId(17)).unwrap(), board.image.stack_top());
    core.write_core_reg(RegisterId(20), 0x0000_4001_u32).unwrap();
    assert_eq!(core.read_core_reg::<u32>(RegisterId(20)).unwrap(), 0x0000_4001);
    assert_eq!(pc(&mut core), board.image.reset_handler());
    for register in core.registers().all_registers() {
        core.read_core_reg::<probe_rs::RegisterValue>(register.id()).unwrap();
    }
}

fn a_session_that_ends_lets_the_program_run(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core.set_hw_breakpoint(board.image.count_instruction()).unwrap();
    core.run().unwrap();
    core.wait_for_core_halted(LIMIT).unwrap();
    drop(core);
    drop(session);
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
    await_count(&mut core, board, 0);
}

fn a_breakpoint_is_not_lost_to_a_read_at_the_same_time(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core.set_hw_breakpoint(board.image.count_instruction()).unwrap();
    for round in 0..100 {
        core.run().unwrap();
        core.read_word_32(board.image.counter()).unwrap();
        core.wait_for_core_halted(LIMIT).unwrap();
        assert_eq!(core.read_word_32(board.image.counter()).unwrap(), round);
    }
}

fn breakpoints_of_a_bridge_that_is_gone_stop_nobody(board: Board) {
    let emulator = Emulator::start(board);
    let mut bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core.set_hw_breakpoint(board.image.count_instruction()).unwrap();
    core.run().unwrap();
    core.wait_for_core_halted(LIMIT).unwrap();
    bridge.stop();
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    assert!(core.status().unwrap().is_halted());
    core.run().unwrap();
    await_count(&mut core, board, 1);
    assert_eq!(core.status().unwrap(), CoreStatus::Running);
}

fn resets_in_a_row_each_restart_the_program(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    for round in 0..50 {
        core.write_word_32(board.image.counter(), 0).unwrap();
        if round % 2 == 0 {
            core.reset().unwrap();
        } else {
            assert_eq!(core.reset_and_halt(LIMIT).unwrap().pc, board.image.reset_handler());
            core.run().unwrap();
        }
        await_count(&mut core, board, 0);
    }
}
