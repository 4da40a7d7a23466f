//! `hilarm boards`.

mod check;
mod evidence;
mod list;
mod scan;

use crate::args::BoardsCommand;
use crate::project::Project;

pub(crate) fn boards(project: &Project, command: &BoardsCommand) -> anyhow::Result<u8> {
    match command {
        BoardsCommand::List { json } => list::list(project, *json),
        BoardsCommand::Scan => scan::scan(project),
        BoardsCommand::Check(args) => check::check(project, args),
    }
}
