//! Rules of the house that no compiler checks: what pure crates ban, what every crate inherits, and that no
//! file names one machine's folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace;

/// Crates that take time as an argument and keep a fixed order.
const PURE: [&str; 7] = [
    "broker/model",
    "broker/hub",
    "broker/defender",
    "harness/scenario",
    "harness/network",
    "firmware/agent",
    "firmware/link",
];

const BANNED: [&str; 3] =
    ["std::time::Instant::now", "std::time::SystemTime::now", "std::collections::HashMap"];

/// Prints what is out of order.
pub(crate) fn report() -> Result<ExitCode> {
    let findings = findings(&workspace::root())?;
    findings.iter().for_each(|finding| println!("xtask: {finding}"));
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn findings(root: &Path) -> Result<Vec<String>> {
    let mut found = pure_crates_without_ban(root);
    let files = tracked_files(root)?;
    found.extend(crates_without_lints(root, &files));
    found.extend(machine_paths(root, &files));
    Ok(found)
}

fn pure_crates_without_ban(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for crate_folder in PURE {
        let rules = fs::read_to_string(root.join(crate_folder).join("clippy.toml")).unwrap_or_default();
        for banned in BANNED.iter().filter(|banned| !rules.contains(*banned)) {
            found.push(format!("{crate_folder}/clippy.toml does not ban {banned}"));
        }
    }
    found
}

fn tracked_files(root: &Path) -> Result<Vec<PathBuf>> {
    let root = root.to_string_lossy();
    let listing = process::output_of("git", &["-c", "safe.directory=*", "-C", &root, "ls-files", "-z"])
        .context("failed to list files by git")?;
    Ok(listing.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

/// A crate inherits the workspace's lints, or (where one call needs unsafe) sets its own like them.
fn crates_without_lints(root: &Path, files: &[PathBuf]) -> Vec<String> {
    const LIKE_THEM: [&str; 4] = ["unsafe_code = \"deny\"", "missing_docs", "unwrap_used", "todo"];
    let manifests = files.iter().filter(|file| file.ends_with("Cargo.toml"));
    let mut found = Vec::new();
    for manifest in manifests {
        let text = fs::read_to_string(root.join(manifest)).unwrap_or_default();
        let inherits = text.contains("[lints]\nworkspace = true");
        if text.contains("[package]") && !inherits && !LIKE_THEM.iter().all(|lint| text.contains(lint)) {
            found.push(format!("{} drops lints of the workspace", manifest.display()));
        }
    }
    found
}

fn machine_paths(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        // Binary files hold no paths that anyone wrote.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if names_a_machine(line) {
                found.push(format!("{}:{}: names a folder of one machine", file.display(), number + 1));
            }
        }
    }
    found
}

/// A home folder or a checkout's place, at the start of a word.
fn names_a_machine(line: &str) -> bool {
    let roots = ["home", "root", "work", "Users"].map(|folder| format!("/{folder}/"));
    roots.iter().any(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '}' | '*'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_in_order() {
        assert_eq!(findings(&workspace::root()).unwrap(), Vec::<String>::new());
    }

    /// Paths of the repository that the text names in backticks, fenced blocks left out.
    fn paths_named_in(text: &str) -> Vec<&str> {
        const ROOMS: [&str; 9] =
            [".ci", ".cargo", "boards", "broker", "docs", "firmware", "harness", "scenarios", "tests"];
        let prose = text.split("```").step_by(2);
        let spans = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
        spans
            .filter(|span| span.split_once('/').is_some_and(|(room, _)| ROOMS.contains(&room)))
            .filter(|span| span.chars().all(plain))
            .collect()
    }

    #[test]
    fn every_path_in_the_documents_exists() {
        let root = workspace::root();
        let documents = [("README.md", 15), ("ARCHITECTURE.md", 60), ("docs/bring-your-firmware.md", 8)];
        for (document, at_least) in documents {
            let text = fs::read_to_string(root.join(document)).unwrap();
            let paths = paths_named_in(&text);
            assert!(
                paths.len() >= at_least,
                "{document} names only {} paths: is it read right?",
                paths.len()
            );
            let gone: Vec<_> = paths.into_iter().filter(|path| !root.join(path).exists()).collect();
            assert!(gone.is_empty(), "{document} names what is not there: {gone:?}");
        }
    }

    #[test]
    fn paths_are_told_from_other_words_in_backticks() {
        let text = "`broker/hub` and `device/x`, `boards/<id>.yaml`\n```\n`tests/no`\n```\n`tests/yes.rs`";
        assert_eq!(paths_named_in(text), ["broker/hub", "tests/yes.rs"]);
    }

    #[test]
    fn a_folder_of_one_machine_is_found() {
        let home = format!("see /{}/someone/notes", "home");
        assert!(names_a_machine(&home));
        assert!(!names_a_machine("https://example.com/home/page") && !names_a_machine("src/work/mod.rs"));
    }
}
