//! The firmware of a board, where this machine can run it.

use std::path::Path;

use hilarm_board::{Board, Elf, qemu_binary, qemu_version};

/// A shipped board.
pub(crate) fn shipped(id: &str) -> Board {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
    Board::find(&boards, id).unwrap()
}

/// The board with its firmware. In CI a missing one, or a missing QEMU, is a failure; elsewhere it is said.
pub(crate) fn bench(board: Board) -> Option<(Board, Elf)> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/firmware");
    let firmware = board.firmware.clone().unwrap();
    let elf = Elf::open(&firmware.image(&built), &firmware.triple);
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
