//! `hilarm boards check`: each board boots, answers over its link, and does so again after a reset.

use std::time::{Duration, Instant};

use hilarm_board::{Board, LocalBoards, LocalUnit};
use hilarm_runner::{Checkup, Stage};

use super::evidence::{Evidence, unit};
use crate::args::CheckArgs;
use crate::project::Project;
use crate::{INFRA, NOTHING_RAN, say};

/// How many boards came to what.
#[derive(Default)]
struct Tally {
    pass: usize,
    fail: usize,
    left_out: usize,
}

pub(super) fn check(project: &Project, args: &CheckArgs) -> anyhow::Result<u8> {
    let began = Instant::now();
    let folder = project.boards_folder();
    let boards = if args.ids.is_empty() {
        Board::list(&folder)?
    } else {
        args.ids.iter().map(|id| Board::find(&folder, id)).collect::<Result<_, _>>()?
    };
    let local = project.local_boards()?;
    let mut tally = Tally::default();
    for board in &boards {
        check_board(project, args, board, &local, &mut tally)?;
    }
    let Tally { pass, fail, left_out } = tally;
    let took = began.elapsed().as_secs_f64();
    say::err(format_args!("\nchecked: {pass} pass, {fail} fail, {left_out} left out in {took:.2}s"));
    Ok(match (pass, fail) {
        (_, 1..) => INFRA,
        (0, 0) => NOTHING_RAN,
        _ => 0,
    })
}

fn check_board(
    project: &Project,
    args: &CheckArgs,
    board: &Board,
    local: &LocalBoards,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let elf = match project.firmware(board, None) {
        Ok(elf) => elf,
        // What was asked for by name and cannot be had is no pass.
        Err(reason) if !args.ids.is_empty() => {
            report(args, board, &Checkup { fault: Some(reason), ..Checkup::default() });
            tally.fail += 1;
            return Ok(());
        }
        Err(reason) => {
            say::err(format_args!("left out: board {}: {reason}", board.id));
            tally.left_out += 1;
            return Ok(());
        }
    };
    let units = if board.emulator.is_some() { vec![LocalUnit::default()] } else { local.units(&board.id) };
    let checkups: Vec<Checkup> = units.iter().map(|unit| Checkup::of(board, elf.as_ref(), unit)).collect();
    for checkup in &checkups {
        report(args, board, checkup);
        *(if checkup.fault.is_some() { &mut tally.fail } else { &mut tally.pass }) += 1;
    }
    if args.attest {
        match Evidence::of(project, board, elf.as_ref(), &checkups) {
            Ok(evidence) => say::err(format_args!("written: {}", evidence.write(project)?.display())),
            Err(reason) => say::err(format_args!("not attested: board {}: {reason}", board.id)),
        }
    }
    Ok(())
}

fn report(args: &CheckArgs, board: &Board, checkup: &Checkup) {
    if args.json {
        let mut line = unit(checkup);
        line["board"] = board.id.as_str().into();
        line["wall_ms"] = milliseconds(checkup.wall).into();
        say::out(line);
        return;
    }
    let verdict = if checkup.fault.is_some() { "INFRA" } else { "PASS" };
    let mut parts: Vec<String> = checkup.stages.iter().map(shown).collect();
    parts.extend((checkup.log_lines > 0).then(|| say::counted(checkup.log_lines, "line") + " of log"));
    parts.extend(checkup.fault.clone());
    let wall = checkup.wall.as_secs_f64();
    say::out(format_args!("{verdict:>8} {:<24} {wall:.3}s  {}", board.id, parts.join(", ")));
}

fn shown(stage: &Stage) -> String {
    let note = if stage.note.is_empty() { String::new() } else { format!(" ({})", stage.note) };
    format!("{} {:.0} ms{note}", stage.name, milliseconds(stage.took))
}

pub(super) fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
