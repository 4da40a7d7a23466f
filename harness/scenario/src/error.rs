//! The errors of a file: collected while it is read, rendered for people, handed out as diagnostics.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::position::{Lines, Position};
use crate::problem::Problem;

/// One error of a scenario file.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioError {
    /// What is wrong.
    pub problem: Problem,
    /// What to do about it, e.g. "did you mean `advance`?"
    pub help: Option<String>,
    /// Where.
    pub position: Position,
    /// The line of the source.
    pub line: String,
}

/// The errors of one scenario file, in the order of their positions; at least one.
#[derive(Clone, Debug)]
pub struct ScenarioErrors {
    path: PathBuf,
    source: Box<NamedSource<String>>,
    errors: Vec<ScenarioError>,
    omitted: usize,
}

/// A file with more errors than this is no scenario at all; the rest is counted.
const ERRORS_MAX: usize = 100;

impl ScenarioErrors {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The errors; of a file that has hundreds, the first.
    pub fn errors(&self) -> &[ScenarioError] {
        &self.errors
    }

    /// How many errors more there are.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for ScenarioError {}

impl Diagnostic for ScenarioError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new(None, self.position.offset, self.position.len);
        Some(Box::new(std::iter::once(label)))
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            render(error, &self.path, f)?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\n\nerror: {omitted} errors more in {}", self.path.display()),
        }
    }
}

impl std::error::Error for ScenarioErrors {}

impl Diagnostic for ScenarioErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source.as_ref())
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.errors.iter().map(|error| error as &dyn Diagnostic)))
    }
}

/// As rustc prints errors: message, place, the line with the part underlined, help.
fn render(error: &ScenarioError, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Position { line, column, len, .. } = error.position;
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let before: String =
        error.line.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
    let marked: String = error.line.chars().skip(column - 1).collect();
    let carets = marked.get(..len).unwrap_or(&marked).chars().count().max(1);
    writeln!(f, "error: {error}")?;
    writeln!(f, "{gutter}--> {}:{line}:{column}", path.display())?;
    writeln!(f, "{gutter} |")?;
    writeln!(f, "{number} | {}", error.line)?;
    write!(f, "{gutter} | {before}{}", "^".repeat(carets))?;
    match &error.help {
        Some(help) => write!(f, "\n{gutter} = help: {help}"),
        None => Ok(()),
    }
}

/// Collects errors while a file is read.
#[derive(Debug)]
pub(crate) struct Report {
    path: PathBuf,
    source: String,
    lines: Lines,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    /// What to underline.
    range: Range<usize>,
    /// Within the part of the file that is unsound; for a missing key that part is not what is underlined.
    scope: usize,
    problem: Problem,
}

impl Report {
    pub(crate) fn new(path: PathBuf, source: &str) -> Self {
        Self { path, source: source.to_owned(), lines: Lines::new(source), found: Vec::new() }
    }

    pub(crate) fn add(&mut self, range: Range<usize>, problem: Problem) {
        self.add_within(range.start, range, problem);
    }

    /// An error of the part that holds the offset `scope`, shown elsewhere.
    pub(crate) fn add_within(&mut self, scope: usize, range: Range<usize>, problem: Problem) {
        self.found.push(Found { range, scope, problem });
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether a part of the file has no error so far.
    pub(crate) fn is_sound(&self, part: &crate::node::Node) -> bool {
        !self.found.iter().any(|found| part.holds(found.scope))
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.position(&(offset..offset)).line
    }

    /// The text of the line of an offset.
    pub(crate) fn line_text(&self, offset: usize) -> &str {
        self.lines.text(self.line(offset))
    }

    /// The text of a part of the file.
    pub(crate) fn source(&self, range: &Range<usize>) -> &str {
        self.source.get(range.clone()).unwrap_or_default()
    }

    /// What was read, with the line table of the file; or every error.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<(Lines, T), ScenarioErrors> {
        let Self { path, source, lines, mut found } = self;
        if let Some(read) = read
            && found.is_empty()
        {
            return Ok((lines, read));
        }
        found.sort_by_key(|found| (found.range.start, found.range.end));
        let omitted = found.len().saturating_sub(ERRORS_MAX);
        found.truncate(ERRORS_MAX);
        let mut errors: Vec<ScenarioError> = found.into_iter().map(|found| located(found, &lines)).collect();
        errors.dedup();
        Err(ScenarioErrors {
            source: Box::new(NamedSource::new(path.to_string_lossy(), source)),
            path,
            errors,
            omitted,
        })
    }
}

fn located(found: Found, lines: &Lines) -> ScenarioError {
    let position = lines.position(&found.range);
    let line = lines.text(position.line).to_owned();
    ScenarioError { help: found.problem.help(), problem: found.problem, position, line }
}
