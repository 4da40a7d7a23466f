//! What is wrong with the local file: everything at once, with place, line and a suggestion.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where something stands; line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    /// In characters.
    pub(super) length: usize,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    place: Place,
    problem: String,
    help: Option<String>,
    /// The line of the file.
    text: String,
}

/// The errors of a file, in the order of their places; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalErrors {
    path: PathBuf,
    errors: Vec<Wrong>,
}

impl std::error::Error for LocalErrors {}

/// As rustc prints errors: message, place, the line with the part underlined, help.
impl fmt::Display for LocalErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, s) = (self.errors.len(), if self.errors.len() == 1 { "" } else { "s" });
        write!(f, "{count} error{s} in {}", self.path.display())?;
        for Wrong { place: Place { line, column, length }, problem, help, text } in &self.errors {
            let gutter = " ".repeat(line.to_string().len());
            let before: String =
                text.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
            write!(f, "\n\nerror: {problem}\n{gutter}--> {}:{line}:{column}", self.path.display())?;
            write!(f, "\n{gutter} |\n{line} | {text}\n{gutter} | {before}{}", "^".repeat(*length))?;
            help.iter().try_for_each(|help| write!(f, "\n{gutter} = help: {help}"))?;
        }
        Ok(())
    }
}

/// Collects errors while a file is read.
pub(super) struct Report {
    lines: Vec<String>,
    errors: Vec<Wrong>,
}

impl Report {
    pub(super) fn new(source: &str) -> Self {
        Self { lines: source.lines().map(str::to_owned).collect(), errors: Vec::new() }
    }

    pub(super) fn add(&mut self, place: Place, problem: String, help: Option<String>) {
        let text = self.lines.get(place.line.saturating_sub(1)).cloned().unwrap_or_default();
        let room = text.trim_end().chars().count().saturating_sub(place.column - 1).max(1);
        let place = Place { length: place.length.clamp(1, room), ..place };
        self.errors.push(Wrong { place, problem, help, text });
    }

    /// Every error, if there is one.
    pub(super) fn finish(self, path: &Path) -> Result<(), LocalErrors> {
        let mut errors = self.errors;
        errors.sort_by_key(|wrong| wrong.place);
        if errors.is_empty() { Ok(()) } else { Err(LocalErrors { path: path.to_owned(), errors }) }
    }
}

/// `did you mean ...?`, or what there is.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let plain = |word: &str| word.to_lowercase().replace('_', "-");
    let distance = |name: &&str| strsim::damerau_levenshtein(&plain(word), &plain(name));
    let most = (word.chars().count() / 3).max(1);
    match known.iter().map(|name| (distance(name), name)).min() {
        None => "there is none".to_owned(),
        Some((slips, name)) if slips <= most => format!("did you mean `{name}`?"),
        Some(_) => format!("known are: {}", known.join(", ")),
    }
}
