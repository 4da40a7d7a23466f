//! `hilarm lint`.

use std::path::PathBuf;

use crate::SPEC_ERROR;
use crate::project::Project;

pub(crate) fn lint(project: &Project, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let mut wrong = 0;
    let read = project.read_scenarios(paths)?;
    for file in &read {
        if let Err(errors) = &file.parsed {
            eprintln!("{errors}");
            wrong += 1;
        }
    }
    println!("{} scenarios checked, {wrong} wrong", read.len());
    Ok(if wrong > 0 { SPEC_ERROR } else { 0 })
}
