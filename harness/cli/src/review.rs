//! `hilarm review`: pending snapshots, one after the other.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::args::ReviewArgs;
use crate::project::Project;
use crate::say;

enum Answer {
    Accept,
    Reject,
    Skip,
}

pub(crate) fn review(project: &Project, args: &ReviewArgs) -> anyhow::Result<u8> {
    let pending = pending(&project.snapshots_folder())?;
    if pending.is_empty() {
        say::out("no pending snapshots");
        return Ok(0);
    }
    if !args.accept && !args.reject && !io::stdin().is_terminal() {
        let pending = say::counted(pending.len(), "pending snapshot");
        bail!("{pending} and no terminal to ask on: use --accept or --reject");
    }
    for new in pending {
        let reviewed = new.with_extension("");
        say::out(reviewed.display());
        say::out(hilarm_runner::diff(&body(&reviewed)?, &body(&new)?));
        let answer = if args.accept {
            Answer::Accept
        } else if args.reject {
            Answer::Reject
        } else {
            ask()?
        };
        match answer {
            Answer::Accept => std::fs::rename(&new, &reviewed),
            Answer::Reject => std::fs::remove_file(&new),
            Answer::Skip => Ok(()),
        }
        .with_context(|| format!("cannot change {}", new.display()))?;
    }
    Ok(0)
}

fn pending(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.to_string_lossy().ends_with(".snap.new") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A snapshot's text without insta's header; empty when there is none.
fn body(path: &Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut parts = text.splitn(3, "---\n");
            Ok(parts.nth(2).unwrap_or(&text).to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn ask() -> anyhow::Result<Answer> {
    loop {
        print!("[a]ccept, [r]eject, [s]kip? ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(Answer::Skip);
        }
        match line.trim() {
            "a" => return Ok(Answer::Accept),
            "r" => return Ok(Answer::Reject),
            "s" => return Ok(Answer::Skip),
            _ => {}
        }
    }
}
