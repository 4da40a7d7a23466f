//! `hilarm mutate`.

use std::path::Path;

use hilarm_board::{Backend, Board};
use hilarm_runner::Snapshots;
use hilarm_runner::mutate::{BaselineFailure, Mutation};

use crate::args::MutateArgs;
use crate::project::Project;
use crate::wrong_input::WrongInput;
use crate::{SPEC_ERROR, say};

/// Exit code when a mutant survives, or when scenarios do not pass as they are.
const FAILED: u8 = 1;
/// Exit code when there was nothing to try.
const NOTHING_RAN: u8 = 4;

pub(crate) fn mutate(project: &Project, args: &MutateArgs) -> anyhow::Result<u8> {
    let mut scenarios = Vec::new();
    let mut wrong = false;
    for read in project.read_scenarios(&args.paths)? {
        match read.parsed {
            Ok(file) => scenarios.push(file),
            Err(errors) => {
                say::err(format_args!("{errors}\n"));
                wrong = true;
            }
        }
    }
    if wrong {
        return Ok(SPEC_ERROR);
    }
    if scenarios.is_empty() {
        say::err("nothing ran: there is no scenario file (`*.yaml`) there");
        return Ok(NOTHING_RAN);
    }
    let snapshots = Snapshots::new(&project.snapshots_folder(), &project.state_folder())?;
    let mutation = Mutation {
        scenarios: &scenarios,
        board: &simulated(&project.boards_folder())?,
        snapshots: Some(&snapshots),
        jobs: args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
    };
    say::err(format_args!(
        "trying mutants of every rule on {} scenarios, on {}; this takes a while",
        scenarios.len(),
        mutation.board.id
    ));
    match mutation.run() {
        Ok(report) => {
            if args.all {
                report.killed().for_each(say::out);
            }
            say::out(&report);
            Ok(if report.survivors().next().is_some() { FAILED } else { 0 })
        }
        Err(failure @ BaselineFailure(_)) => {
            say::err(format_args!("error: {failure}"));
            Ok(FAILED)
        }
    }
}

/// The board on which mutants are tried.
fn simulated(folder: &Path) -> anyhow::Result<Board> {
    let boards = Board::list(folder)?;
    let sim = boards.into_iter().find(|board| board.backend == Backend::Sim);
    Ok(sim.ok_or_else(|| WrongInput(format!("no simulated board in {}", folder.display())))?)
}
