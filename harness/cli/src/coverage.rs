//! `hilarm coverage`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hilarm_runner::{Coverage, Guarded, REGENERATE, WrittenCoverage};

use crate::args::CoverageArgs;
use crate::commit::Commit;
use crate::project::Project;
use crate::say;
use crate::wrong_input::WrongInput;

/// Exit code when a row lost coverage.
const LOST: u8 = 1;

pub(crate) fn coverage(project: &Project, args: &CoverageArgs) -> anyhow::Result<u8> {
    let folder = match &args.run {
        Some(folder) if !folder.is_dir() => {
            return Err(WrongInput(format!("{} is no folder of a run", folder.display())).into());
        }
        Some(folder) => folder.clone(),
        None => newest_run(project)?,
    };
    check_commit(project, &folder, args.run.is_some())?;
    let coverage = Coverage::of(&folder)?;
    if args.markdown {
        // It makes the written coverage, so it is not held against it.
        say::out(coverage.markdown().trim_end());
        return Ok(0);
    }
    if args.json {
        for row in &coverage.rows {
            say::out(serde_json::to_string(row)?);
        }
    } else {
        say::out(coverage.table().trim_end());
    }
    guard(project, &coverage)
}

/// Journals of another commit show what that one covered. Whoever names a folder may want just that.
fn check_commit(project: &Project, folder: &Path, was_named: bool) -> anyhow::Result<()> {
    let place = folder.display();
    let (of_run, here) = (Commit::of_run(folder), Commit::checked_out(project.root()));
    match (&of_run, &here) {
        (Some(of_run), Some(here)) if !of_run.is_of(here) && !was_named => Err(WrongInput(format!(
            "the newest run, {place}, is of commit {of_run}, and {here} is checked out; \
             `hilarm run` makes one of it, `--run {place}` counts the old one"
        ))
        .into()),
        (Some(of_run), _) => {
            say::err(format_args!("counted from {place}, a run of commit {of_run}"));
            Ok(())
        }
        (None, _) => {
            say::err(format_args!("counted from {place}, a run of an unknown commit"));
            Ok(())
        }
    }
}

/// Holds the run against the coverage that somebody reviewed.
fn guard(project: &Project, coverage: &Coverage) -> anyhow::Result<u8> {
    let path = project.scenarios_folder().join("COVERAGE.md");
    if !path.is_file() {
        say::err(format_args!("there is no {} to hold it against", path.display()));
        return Ok(0);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let written = WrittenCoverage::parse(&text)
        .map_err(|error| WrongInput(format!("{}: {error}; {REGENERATE}", path.display())))?;
    let existing: BTreeSet<String> = project.read_scenarios(&[])?.into_iter().map(|read| read.id).collect();
    Ok(verdict(&written.guard(coverage, &existing)))
}

fn verdict(guarded: &Guarded) -> u8 {
    if !guarded.not_run.is_empty() {
        let rows = guarded.not_run.join(", ");
        say::err(format_args!("not judged, for not all of their scenarios were run: {rows}"));
    }
    guarded.lost.iter().for_each(say::err);
    if guarded.lost.is_empty() {
        return 0;
    }
    say::err(format_args!("scenarios/COVERAGE.md has more; if that is meant, make it anew: {REGENERATE}"));
    LOST
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
