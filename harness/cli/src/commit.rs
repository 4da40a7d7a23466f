//! The commit that a run was made of, kept beside its journals: coverage of another commit proves nothing here.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// Its file in the folder of a run.
const FILE: &str = "commit";

/// A commit of the project's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    id: String,
    /// Files differed from it, nobody knows how.
    changed: bool,
}

impl Commit {
    /// What is checked out; nothing where there is no git or no repository.
    pub(crate) fn checked_out(root: &Path) -> Option<Self> {
        let id = git(root, &["rev-parse", "--short=12", "HEAD"])?;
        let changed = !git(root, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Some(Self { id, changed })
    }

    /// What the run in a folder was made of, if it was known.
    pub(crate) fn of_run(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(FILE)).ok()?;
        let text = text.trim();
        let id = text.trim_end_matches(CHANGED);
        Some(Self { id: id.to_owned(), changed: text.ends_with(CHANGED) })
    }

    /// Keeps it with a run.
    pub(crate) fn keep(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join(FILE), format!("{self}\n"))
    }

    /// Whether both are of one commit; changes beside it are nobody's to compare.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

const CHANGED: &str = " with local changes";

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, if self.changed { CHANGED } else { "" })
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    String::from_utf8(text).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_back_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Commit::of_run(folder.path()), None);
        for changed in [false, true] {
            let commit = Commit { id: "0123456789ab".to_owned(), changed };
            commit.keep(folder.path()).unwrap();
            assert_eq!(Commit::of_run(folder.path()), Some(commit));
        }
    }

    #[test]
    fn a_folder_outside_any_repository_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Commit::checked_out(folder.path()), None);
    }
}
