//! Scenario files: schema, parser with positions, lint.
//!
//! [`parse`] takes the text of a file and answers with the scenario and the position of each of its parts,
//! or with all errors of the file at once. Nothing here runs a scenario, opens a file or reads a clock.
//! Implements section 6 of the design.

mod attack;
mod duration;
mod error;
mod group_file;
mod json_schema;
mod lint;
mod many;
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

pub use attack::{Technique, attack_version, technique, techniques};
pub use duration::{InvalidSpan, Span};
pub use error::{ScenarioError, ScenarioErrors};
pub use group_file::{ReadGroup, rules_of};
pub use json_schema::json_schema;
pub use lint::SERVICES;
pub use position::Position;
pub use problem::Problem;
pub use registry::allow_rule;
pub use schema::*;
pub use span_index::SpanIndex;
pub use suggest::Suggestion;

use error::Report;
use hilarm_model::SecurityGroup;
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

/// Reads a scenario from the text of its file and checks it. Answers with all errors of the file. Security
/// groups that it takes from other files stay without rules.
pub fn parse(
    id: impl Into<String>,
    path: impl Into<PathBuf>,
    source: &str,
) -> Result<ScenarioFile, ScenarioErrors> {
    parse_with_files(id, path, source, &mut |_| Ok(SecurityGroup::default()))
}

/// Reads a scenario and the security groups in the files that it names; what cannot be read is an error of
/// the scenario, at the file's name.
pub fn parse_with_files(
    id: impl Into<String>,
    path: impl Into<PathBuf>,
    source: &str,
    files: &mut ReadGroup<'_>,
) -> Result<ScenarioFile, ScenarioErrors> {
    let (id, path) = (id.into(), path.into());
    let mut report = Report::new(path.clone(), source);
    let read = read_scenario(&id, source, files, &mut report);
    let (lines, (root, scenario)) = report.finish(read)?;
    let spans = SpanIndex::new(&root, &lines);
    Ok(ScenarioFile { id, path, source: source.to_owned(), scenario, spans })
}

/// The scenario and the tree it was read from; nothing only if the report says why.
fn read_scenario(
    id: &str,
    source: &str,
    files: &mut ReadGroup<'_>,
    report: &mut Report,
) -> Option<(Node, Scenario)> {
    let mut root = read::read(source, report)?;
    many::expand(&mut root, report);
    vars::substitute(&mut root, report);
    shape::check(&root, report);
    lint::check(id, &root, report);
    let groups = group_file::read(&root, files, report);
    if !report.is_empty() {
        return None;
    }
    match yaml::decode(&root) {
        Ok(mut scenario) => {
            group_file::insert(&mut scenario, &groups);
            Some((root, scenario))
        }
        Err(error) => {
            // The JSON schema and serde disagree: our bug, and no reason to panic over somebody's file.
            report.add(root.range, Problem::Decode { message: error.to_string() });
            None
        }
    }
}
