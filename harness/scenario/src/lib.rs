//! Scenario files: schema, parser with positions, lint.
//!
//! [`parse`] takes the text of a file and answers with the scenario and the position of each of its parts,
//! or with all errors of the file at once. Nothing here runs a scenario, opens a file or reads a clock.
//! Implements section 6 of the design.

mod duration;
mod error;
mod node;
mod position;
mod problem;
mod read;
mod schema;
mod span_index;
mod suggest;
mod yaml;

use std::path::PathBuf;

pub use duration::{InvalidSpan, Span};
pub use error::{ScenarioError, ScenarioErrors};
pub use position::Position;
pub use problem::Problem;
pub use schema::*;
pub use span_index::SpanIndex;
pub use suggest::Suggestion;

use error::Report;

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
    let root = read::read(source, &mut report);
    let mut scenario = None;
    if let Some(root) = &root {
        match yaml::decode::<Scenario>(root) {
            Ok(decoded) => scenario = Some(decoded),
            Err(error) => report.add(root.range.clone(), Problem::Decode { message: error.to_string() }),
        }
    }
    let lines = report.finish()?;
    let (Some(root), Some(scenario)) = (root, scenario) else { unreachable!() };
    let spans = SpanIndex::new(&root, &lines);
    Ok(ScenarioFile { id, path, source: source.to_owned(), scenario, spans })
}

/// The JSON schema of scenario files, pretty-printed; checked in as `scenarios/scenario.schema.json`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Scenario);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
