//! `hilarm coverage`.

use std::path::PathBuf;

use anyhow::Context;
use hilarm_runner::Coverage;

use crate::args::CoverageArgs;
use crate::project::Project;
use crate::say;
use crate::wrong_input::WrongInput;

pub(crate) fn coverage(project: &Project, args: &CoverageArgs) -> anyhow::Result<u8> {
    let folder = match &args.run {
        Some(folder) if !folder.is_dir() => {
            return Err(WrongInput(format!("{} is no folder of a run", folder.display())).into());
        }
        Some(folder) => folder.clone(),
        None => newest_run(project)?,
    };
    let coverage = Coverage::of(&folder)?;
    if args.json {
        for row in &coverage.rows {
            say::out(serde_json::to_string(row)?);
        }
    } else if args.markdown {
        say::out(coverage.markdown().trim_end());
    } else {
        say::out(coverage.table().trim_end());
    }
    Ok(0)
}

/// Run folders are named by the time at which they began.
fn newest_run(project: &Project) -> anyhow::Result<PathBuf> {
    let runs = project.state_folder().join("runs");
    let nothing = || WrongInput(format!("no run in {}; `hilarm run` makes one", runs.display()));
    if !runs.is_dir() {
        return Err(nothing().into());
    }
    let mut newest = None;
    for entry in std::fs::read_dir(&runs).with_context(|| format!("cannot read {}", runs.display()))? {
        newest = newest.max(Some(entry?.path()));
    }
    Ok(newest.ok_or_else(nothing)?)
}
