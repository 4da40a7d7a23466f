//! Reviewed snapshots, kept by insta beside the scenarios and shared by all backends. insta is told its
//! root, so this works from an installed binary outside any Cargo project. `hilarm review` finds what is
//! pending. So does `cargo insta review` here: it looks into the folders of packages, and the root is one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use insta::{Comparator, Settings, Snapshot};
use similar::TextDiff;

/// Quiet and never panicking: what came of a comparison is taken from the comparator, and shown once, in
/// hilarm's own report.
const INSTA_CONFIG: &str = "behavior:\n  output: none\n  force_pass: true\n";

/// Where snapshots are.
#[derive(Clone, Debug)]
pub struct Snapshots {
    folder: PathBuf,
    root: PathBuf,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    Same,
    /// Nobody has reviewed one yet.
    Missing,
    /// A unified diff.
    Differs(String),
}

impl Snapshots {
    /// Snapshots in `folder`; `root` is a folder of ours in which insta finds its configuration.
    pub fn new(folder: &Path, root: &Path) -> std::io::Result<Self> {
        let config = root.join(".config");
        std::fs::create_dir_all(&config)?;
        std::fs::write(config.join("insta.yaml"), INSTA_CONFIG)?;
        Ok(Self { folder: std::path::absolute(folder)?, root: std::path::absolute(root)? })
    }

    /// The file of a scenario's snapshot.
    pub fn path(&self, scenario_id: &str) -> PathBuf {
        self.folder.join(format!("{}.snap", scenario_id.replace('/', "__")))
    }

    /// Compares; a difference leaves a pending snapshot beside the reviewed one (not in CI).
    pub(crate) fn compare(&self, scenario_id: &str, text: &str) -> Result<Compared, String> {
        let seen = Arc::new(Mutex::new(None));
        let mut settings = Settings::new();
        settings.set_snapshot_path(&self.folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_comparator(Box::new(Witness { seen: Arc::clone(&seen) }));
        settings
            .bind(|| {
                insta::_macro_support::assert_snapshot(
                    (scenario_id, text).into(),
                    &self.root,
                    "snapshot",
                    "hilarm",
                    "scenario.yaml",
                    0,
                    "",
                )
            })
            .map_err(|error| format!("cannot compare the snapshot: {error}"))?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(match seen {
            None => Compared::Missing,
            Some(Seen { same: true, .. }) => Compared::Same,
            Some(Seen { reviewed, found, .. }) => Compared::Differs(diff(&reviewed, &found)),
        })
    }
}

/// A unified diff of two texts.
pub fn diff(reviewed: &str, found: &str) -> String {
    TextDiff::from_lines(reviewed, found).unified_diff().header("reviewed", "found").to_string()
}

struct Seen {
    same: bool,
    reviewed: String,
    found: String,
}

/// insta's comparator, asked by us what it saw.
struct Witness {
    seen: Arc<Mutex<Option<Seen>>>,
}

impl Comparator for Witness {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        let same = reference.contents() == test.contents();
        let seen = Seen { same, reviewed: text_of(reference), found: text_of(test) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        same
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(Self { seen: Arc::clone(&self.seen) })
    }
}

fn text_of(snapshot: &Snapshot) -> String {
    match snapshot.contents() {
        insta::internals::SnapshotContents::Text(text) => format!("{text}\n"),
        insta::internals::SnapshotContents::Binary(_) => "(binary)\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_missing_then_same_then_different() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots =
            Snapshots::new(&folder.path().join("snapshots"), &folder.path().join("root")).unwrap();
        assert_eq!(snapshots.compare("device/x", "one\n"), Ok(Compared::Missing));
        std::fs::create_dir_all(folder.path().join("snapshots")).unwrap();
        std::fs::write(snapshots.path("device/x"), "---\nsource: x\n---\none\n").unwrap();
        assert_eq!(snapshots.compare("device/x", "one\n"), Ok(Compared::Same));
        let Ok(Compared::Differs(diff)) = snapshots.compare("device/x", "two\n") else {
            panic!("no difference")
        };
        assert!(diff.contains("-one") && diff.contains("+two"), "{diff}");
    }
}
