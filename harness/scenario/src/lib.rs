//! Scenario files: schema, parser with positions, lint.
//!
//! [`parse`] takes the text of a file and answers with the scenario and the position of each of its parts,
//! or with all errors of the file at once. Nothing here runs a scenario, opens a file or reads a clock.
//! Implements section 6 of the design.

mod duration;
mod error;
mod json_schema;
mod lint;
mod node;
mod position;
mod problem;
mod read;
mod registry;
mod schema;
mod shape;
mod span_index;
mod steps;
mod suggest;
mod vars;
mod yaml;

use std::path::PathBuf;

pub use duration::{InvalidSpan, Span};
pub use error::{ScenarioError, ScenarioErrors};
pub use json_schema::json_schema;
pub use position::Position;
pub use problem::Problem;
pub use registry::allow_rule;
pub use schema::*;
pub use span_index::SpanIndex;
pub use suggest::Suggestion;

use error::Report;
use node::Node;

/// A scenario file that was read and found sound.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// Path below `scenarios/` without `.yaml`, e.g. `device/sas-expired`.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub source: String,
    /// What it says.
    pub scenario: Scenario,
    /// Where it says it.
    pub spans: SpanIndex,
}

/// Reads a scenario from the text of its file and checks it. Answers with all errors of the file.
pub fn parse(
    id: impl Into<String>,
    path: impl Into<PathBuf>,
    source: &str,
) -> Result<ScenarioFile, ScenarioErrors> {
    let (id, path) = (id.into(), path.into());
    let mut report = Report::new(path.clone(), source);
    let read = read_scenario(&id, source, &mut report);
    let (lines, (root, scenario)) = report.finish(read)?;
    let spans = SpanIndex::new(&root, &lines);
    Ok(ScenarioFile { id, path, source: source.to_owned(), scenario, spans })
}

/// The scenario and the tree it was read from; nothing only if the report says why.
fn read_scenario(id: &str, source: &str, report: &mut Report) -> Option<(Node, Scenario)> {
    let mut root = read::read(source, report)?;
    vars::substitute(&mut root, report);
    shape::check(&root, report);
    lint::check(id, &root, report);
    if !report.is_empty() {
        return None;
    }
    match yaml::decode(&root) {
        Ok(scenario) => Some((root, scenario)),
        Err(error) => {
            // The JSON schema and serde disagree: our bug, and no reason to panic over somebody's file.
            report.add(root.range, Problem::Decode { message: error.to_string() });
            None
        }
    }
}
