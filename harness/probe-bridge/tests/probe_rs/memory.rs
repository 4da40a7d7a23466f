//! Memory of each kind in each width, registers of devices and of the system, RTT.

use std::time::Instant;

use probe_rs::rtt::{Rtt, ScanRegion};
use probe_rs::{Core, MemoryInterface, Session};

use crate::emulator::{Board, Emulator, LIMIT, attach, await_count, flashed};
use crate::image::MESSAGE;

on_each_board!(
    memory_is_read_and_written_in_each_width,
    a_long_block_crosses_the_address_counter,
    memory_is_read_while_the_program_runs,
    a_place_where_nothing_is_is_an_error_and_nothing_breaks,
    device_registers_are_written,
    system_registers_are_written_by_the_core_itself,
    a_message_comes_over_rtt,
);

fn halted(session: &mut Session) -> Core<'_> {
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LIMIT).unwrap();
    core
}

fn memory_is_read_and_written_in_each_width(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    let at = u64::from(board.image.ram) + 0x400;
    core.write_word_32(at, 0x4433_2211).unwrap();
    core.write_word_8(at + 1, 0xAA).unwrap();
    core.write_word_16(at + 2, 0xCCBB).unwrap();
    assert_eq!(core.read_word_32(at).unwrap(), 0xCCBB_AA11);
    assert_eq!(core.read_word_16(at + 2).unwrap(), 0xCCBB);
    assert_eq!(core.read_word_8(at + 1).unwrap(), 0xAA);
}

fn a_long_block_crosses_the_address_counter(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = attach(&bridge, board);
    let mut core = session.core(0).unwrap();
    let at = u64::from(board.image.ram) + 0x3F0;
    let sent: Vec<u8> = (0..50_000_u32).map(|index| ((index * 7) >> 3) as u8).collect();
    core.write(at, &sent).unwrap();
    let mut found = vec![0; sent.len()];
    core.read(at, &mut found).unwrap();
    assert!(found == sent);
}

fn memory_is_read_while_the_program_runs(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset().unwrap();
    await_count(&mut core, board, 0);
    let since = Instant::now();
    const READS: u32 = 200;
    for _ in 0..READS {
        core.read_word_32(board.image.counter()).unwrap();
    }
    println!("{}: a word of a running program in {:?}", board.machine, since.elapsed() / READS);
    let counted = core.read_word_32(board.image.counter()).unwrap();
    await_count(&mut core, board, counted);
}

fn a_place_where_nothing_is_is_an_error_and_nothing_breaks(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = halted(&mut session);
    core.read_word_32(0x9000_0000).unwrap_err();
    core.read(0x9000_0000, &mut [0; 5000]).unwrap_err();
    core.write_word_32(0x9000_0000, 1).unwrap_err();
    let vectors = core.read_word_32(u64::from(board.image.flash)).unwrap();
    assert_eq!(vectors, board.image.stack_top());
}

fn device_registers_are_written(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = halted(&mut session);
    let baud_rate_divisor = board.uart + 0x10;
    core.write_word_32(baud_rate_divisor, 0x321).unwrap();
    assert_eq!(core.read_word_32(baud_rate_divisor).unwrap(), 0x321);
}

fn system_registers_are_written_by_the_core_itself(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = halted(&mut session);
    const SYSTICK_RELOAD: u64 = 0xE000_E014;
    core.write_word_32(SYSTICK_RELOAD, 0x1234).unwrap();
    assert_eq!(core.read_word_32(SYSTICK_RELOAD).unwrap(), 0x1234);
    assert_eq!(core.step().unwrap().pc, board.image.reset_handler() + 2);
}

fn a_message_comes_over_rtt(board: Board) {
    let emulator = Emulator::start(board);
    let bridge = emulator.bridge();
    let mut session = flashed(&bridge, board);
    let mut core = session.core(0).unwrap();
    core.reset().unwrap();
    await_count(&mut core, board, 0);
    let mut rtt = Rtt::attach_region(&mut core, &ScanRegion::Exact(board.image.rtt())).unwrap();
    let channel = rtt.up_channel(0).unwrap();
    assert_eq!(channel.name(), Some("log"));
    let mut message = [0; 64];
    let length = channel.read(&mut core, &mut message).unwrap();
    assert_eq!(&message[..length], MESSAGE);
    assert_eq!(channel.read(&mut core, &mut message).unwrap(), 0);
}
