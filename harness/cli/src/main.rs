//! The command line: arguments, progress, exit codes. Everything it does is another room's.

mod args;
mod boards;
mod ca;
mod commit;
mod coverage;
mod hub;
mod lint;
mod list;
mod mutate;
mod project;
mod replay;
mod review;
mod run;
mod say;
mod wrong_input;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::project::Project;
use crate::wrong_input::is_wrong_input;

/// Exit code of a wrong scenario or board file, as in the table of `hilarm run --help`.
const SPEC_ERROR: u8 = 2;
/// Exit code of a failure of the harness itself.
const INFRA: u8 = 3;
/// Exit code when there was nothing to judge.
const NOTHING_RAN: u8 = 4;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say::err(format_args!("error: {error:#}"));
            ExitCode::from(if is_wrong_input(&error) { SPEC_ERROR } else { INFRA })
        }
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let given = arguments.project.as_deref();
    let project = || Project::find(given);
    match arguments.command {
        Command::Run(run) => run::run(&project()?, given, &run),
        Command::List(paths) => list::list(&project()?, &paths.paths),
        Command::Lint(paths) => lint::lint(&project()?, &paths.paths),
        Command::Review(review) => review::review(&project()?, &review),
        Command::Replay(replay) => replay::replay(&replay),
        Command::Coverage(args) => coverage::coverage(&project()?, &args),
        Command::Mutate(args) => mutate::mutate(&project()?, &args),
        Command::Hub(hub) => hub::hub(&hub),
        Command::Ca(command) => ca::ca(&command),
        Command::Boards(command) => boards::boards(&project()?, &command),
    }
}
