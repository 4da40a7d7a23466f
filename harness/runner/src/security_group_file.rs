//! Security groups in files: custom alert rules as Azure's JSON, exported and used unchanged. What is wrong
//! with one is told with its line and column. Reads files only where a scenario or a user names them.

use std::io;
use std::path::{Path, PathBuf};

use hilarm_hub::read_security_group;
use hilarm_model::SecurityGroup;
use hilarm_scenario::{ScenarioErrors, ScenarioFile, SpanIndex, parse_with_files, rules_of};
use serde_json::Value;

/// Devices whose twin names no group are of this one.
const DEFAULT_NAME: &str = "default";
/// What some tools put before UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A security group as it stands in a file.
#[derive(Clone, Debug)]
pub struct SecurityGroupFile {
    /// Its name there, in lower case; `default` when it has none.
    pub name: String,
    /// The body, as Azure's clients send it.
    pub json: Value,
    /// Its enabled rules.
    pub group: SecurityGroup,
}

/// Why a security group cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum SecurityGroupFileError {
    /// The file cannot be read, or is no text.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no JSON.
    #[error("{path}:{line}:{column}: not JSON: {source}", line = .source.line(), column = .source.column())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The hub refuses it.
    #[error("{place}: {source}")]
    Refused {
        /// The file, with line and column where they can be told.
        place: String,
        /// Where in the body, and why.
        source: hilarm_hub::InvalidSecurityGroup,
    },
}

impl SecurityGroupFile {
    /// Reads the security group in a file.
    ///
    /// # Errors
    /// When there is no such file, or it holds nothing that the hub takes for a security group.
    pub fn open(path: &Path) -> Result<Self, SecurityGroupFileError> {
        let owned = || path.to_owned();
        let text = std::fs::read_to_string(path)
            .map_err(|source| SecurityGroupFileError::Io { path: owned(), source })?;
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let json: Value = serde_json::from_str(text)
            .map_err(|source| SecurityGroupFileError::Syntax { path: owned(), source })?;
        let group = read_security_group(&json).map_err(|source| {
            let place = place(path, text, &source.at);
            SecurityGroupFileError::Refused { place, source }
        })?;
        let name = json.get("name").and_then(Value::as_str).unwrap_or(DEFAULT_NAME).to_lowercase();
        Ok(Self { name, json, group })
    }

    /// Puts the group in the place of the one that a scenario gives that name.
    pub fn replace_in(&self, file: &mut ScenarioFile) {
        file.scenario.hub.security_groups.insert(self.name.clone(), rules_of(&self.group));
    }
}

/// `plant.json:12:7`, or the file alone where its layout hides the line.
fn place(path: &Path, text: &str, at: &str) -> String {
    match SpanIndex::of_json(text) {
        Some(index) => {
            let position = index.locate_nearest(at);
            format!("{}:{}:{}", path.display(), position.line, position.column)
        }
        None => path.display().to_string(),
    }
}

/// Reads a scenario from the text of its file, and the security groups from the files that it names, their
/// paths relative to its own.
///
/// # Errors
/// All errors of the scenario's file, those of the files it names among them.
pub fn read_scenario(
    id: impl Into<String>,
    path: impl Into<PathBuf>,
    source: &str,
) -> Result<ScenarioFile, ScenarioErrors> {
    let path = path.into();
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut read = |named: &str| {
        let file = SecurityGroupFile::open(&folder.join(named));
        file.map(|file| file.group).map_err(|error| error.to_string())
    };
    parse_with_files(id, path, source, &mut read)
}

#[cfg(test)]
mod tests {
    use hilarm_model::RangeRuleType;

    use super::*;

    fn open(text: &str) -> Result<SecurityGroupFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plant.json");
        std::fs::write(&path, text).unwrap();
        let opened = SecurityGroupFile::open(&path).map_err(|error| error.to_string());
        opened.map_err(|error| error.replace(&folder.path().display().to_string(), "."))
    }

    const RULE: &str = r#"{"ruleType":"TwinUpdatesNotInAllowedRange","isEnabled":true,"maxThreshold":2,
        "timeWindowSize":"PT05M"}"#;

    #[test]
    fn a_group_is_read_with_a_byte_order_mark_and_without_a_name() {
        let group = open(&format!("\u{feff}{{\"properties\":{{\"timeWindowRules\":[{RULE}]}}}}")).unwrap();
        assert_eq!(group.name, "default");
        assert_eq!(group.group.ranges[&RangeRuleType::TwinUpdates].window().as_secs(), 300);
        let named = open(r#"{"name":"Plant","properties":{}}"#).unwrap();
        assert_eq!(named.name, "plant");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column() {
        let rules = |window: &str| {
            format!(
                "{{\n  \"properties\": {{\n    \"timeWindowRules\": [\n      {}\n] }} }}",
                RULE.replace("PT05M", window)
            )
        };
        let text = open(&rules("five minutes")).unwrap_err();
        assert!(
            text.starts_with("./plant.json:5:26: properties.timeWindowRules[0].timeWindowSize: "),
            "{text}"
        );
        assert!(text.ends_with("\"five minutes\" is no duration"), "{text}");
        let text = open("{\n  \"properties\": [\n").unwrap_err();
        assert!(text.starts_with("./plant.json:3:0: not JSON: "), "{text}");
        let text = open("[]").unwrap_err();
        assert_eq!(text, "./plant.json:1:1: properties: is missing, or no object");
        let text = SecurityGroupFile::open(Path::new("no/such.json")).unwrap_err().to_string();
        assert!(text.starts_with("cannot read no/such.json: "), "{text}");
    }
}
