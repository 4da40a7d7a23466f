//! What devices say is kept in the folder of the run, as text: on every board their events, behind a debug probe their
//! own log with the place in the source.
#![allow(clippy::unwrap_used)]

use hilarm_board::{Board, Elf};
use hilarm_runner::{Pool, Trial, Verdict};
use hilarm_tests::{boards, firmware, in_ci, scenario};

/// The text that a run leaves.
fn said(id: &str, board: &Board, elf: Option<&Elf>) -> String {
    let file = scenario(id);
    let folder = tempfile::tempdir().unwrap();
    let folder_of_runs = Some(folder.path().to_owned());
    let trial = Trial {
        file: &file,
        board,
        elf,
        seed: None,
        folder: folder_of_runs,
        snapshots: None,
        pool: &Pool::default(),
    };
    let main = trial.run().swap_remove(0);
    assert_eq!(main.verdict, Verdict::Pass, "{:?}", main.findings);
    std::fs::read_to_string(main.folder.unwrap().join("devices.log")).unwrap()
}

fn board(id: &str) -> Board {
    boards().into_iter().find(|board| board.id == id).unwrap()
}

#[test]
fn events_are_lines_in_the_order_in_which_they_happened() {
    let said = said("benign/ten-minutes", &board("sim"), None);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("0.000s pump-1 Booted"), "{said}");
    assert!(lines[1].contains("pump-1 Connected"), "{said}");
}

#[test]
fn behind_a_debug_probe_the_log_has_its_place_in_the_source() {
    let board = board("qemu-mps2-an385-probe");
    let elf = match firmware(&board) {
        Ok(elf) => elf,
        Err(reason) => {
            assert!(!in_ci(), "CI must have QEMU and the firmware: {reason}");
            eprintln!("passed over: {reason}");
            return;
        }
    };
    let said = said("benign/ten-minutes", &board, elf.as_ref());
    let boot = |line: &&str| line.contains("Info: 0.000000 boot ") && line.contains("(device/src/device.rs:");
    assert_eq!(said.lines().filter(boot).count(), 1, "{said}");
    assert!(said.lines().any(|line| line.contains("(device/src/transport.rs:")), "{said}");
}
