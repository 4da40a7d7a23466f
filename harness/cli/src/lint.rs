//! `hilarm lint`.

use std::path::PathBuf;

use crate::SPEC_ERROR;
use crate::project::Project;
use crate::say;

pub(crate) fn lint(project: &Project, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let mut wrong = 0;
    let read = project.read_scenarios(paths)?;
    for file in &read {
        if let Err(errors) = &file.parsed {
            say::err(format_args!("{errors}\n"));
            wrong += 1;
        }
    }
    say::out(format_args!("{} checked, {wrong} wrong", say::counted(read.len(), "scenario")));
    Ok(if wrong > 0 { SPEC_ERROR } else { 0 })
}
