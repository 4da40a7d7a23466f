//! Everything that can be wrong with a scenario file, and what to do about it.

use hilarm_model::{InvalidId, InvalidRange};
use thiserror::Error;

use crate::duration::InvalidSpan;
use crate::suggest::Suggestion;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant says what it is")]
pub enum Problem {
    // The text.
    #[error("the file has {bytes} bytes; a scenario has at most {most}")]
    TooLong { bytes: usize, most: usize },
    #[error("the file holds no scenario")]
    Empty,
    #[error("not YAML: {message}")]
    Syntax { message: String, flow_variable: bool },
    #[error("a second document: a file is one scenario")]
    SeveralDocuments,
    #[error("nested deeper than {most} levels")]
    TooDeep { most: usize },
    #[error("anchors and aliases have no place in scenarios")]
    Alias,
    #[error("the tag `{tag}` has no place in scenarios")]
    Tag { tag: String },
    #[error("`{word}` is a boolean to YAML 1.1 and text to YAML 1.2")]
    BooleanTrap { word: String },
    #[error("a key must be text")]
    KeyIsNoScalar,
    #[error("duplicate key `{key}`, first given in line {first_line}")]
    DuplicateKey { key: String, first_line: usize },

    // Variables.
    #[error("unknown variable `{name}`")]
    UnknownVariable { name: String, suggestion: Suggestion },
    #[error("`${{` without a name and `}}` behind it")]
    UnclosedVariable,
    #[error("a variable stands for a value, not for a key")]
    VariableInKey,
    #[error("a variable is a single value: text, a number or a boolean")]
    VariableNotScalar,
    #[error("a variable cannot be made of variables")]
    VariableInVariable,

    // The shape.
    #[error("expected {expected}, found {found}")]
    WrongType { expected: String, found: String },
    #[error("unknown key `{key}`")]
    UnknownKey { key: String, suggestion: Suggestion },
    #[error("missing key `{key}`")]
    MissingKey { key: String },
    #[error("unknown {noun} `{word}`")]
    UnknownWord { noun: String, word: String, suggestion: Suggestion },
    #[error("{noun} is a map with one key, this one has {found}")]
    NotSingleKey { noun: String, found: usize },
    #[error("`{word}` takes no value")]
    WordAlone { word: String },
    #[error("`{word}` needs a value")]
    WordNeedsValue { word: String },
    #[error("{value} is out of range: {range}")]
    OutOfRange { value: String, range: String },
    #[error("an empty list says nothing here")]
    EmptyList,
    #[error("`{text}`: {error}")]
    Duration { text: String, error: InvalidSpan },
    #[error("{0}")]
    Identity(InvalidId),
    #[error("no technique `{id}` in MITRE ATT&CK {}", crate::attack_version())]
    UnknownTechnique { id: String, suggestion: Suggestion },
    #[error("`{text}` is not {expected}")]
    Malformed { text: String, expected: &'static str },
    #[error("does not decode: {message}")]
    Decode { message: String },

    // Many devices.
    #[error("`for_each` within `for_each`")]
    NestedForEach,
    #[error("spelled out for each device this is {found} parts of a file; {most} are possible")]
    TooManyParts { found: usize, most: usize },

    // The meaning.
    #[error("schema {found} is not known: this version reads schema 1")]
    SchemaVersion { found: String },
    #[error("a scenario needs a device")]
    NoDevices,
    #[error("{found} devices are too many: the device network holds {most}")]
    TooManyDevices { found: usize, most: usize },
    #[error("unknown {noun} `{name}`")]
    UnknownName { noun: &'static str, name: String, suggestion: Suggestion },
    #[error("the behaviour `{behaviour}` has no parameter `{parameter}`")]
    UnknownParameter { behaviour: String, parameter: String, suggestion: Suggestion },
    #[error("the behaviour `{behaviour}` needs the parameter `{parameter}`")]
    MissingParameter { behaviour: String, parameter: String, expected: String },
    #[error("`{address}` lies outside the documentation ranges")]
    NotDocumentation { address: String },
    #[error("impossible range: {0}")]
    Range(InvalidRange),
    #[error("the list leaves out {}, to which honest devices talk", .missing.join(", "))]
    AllowListLacks { missing: Vec<String> },
    #[error("a loss of {percent} percent: 0 to 100 is possible")]
    Loss { percent: f64 },
    #[error("`malicious` without `proof`: nothing would show that the attack landed")]
    NoProof,
    #[error("a second `malicious`: one attack a scenario")]
    SecondMalicious,
    #[error("`malicious` within `malicious`")]
    NestedMalicious,
    #[error("`{slug}` for this subject is expected in line {first_line} already")]
    DuplicateAlert { slug: String, first_line: usize },
    #[error("`{slug}` is about a device, and no device is named")]
    NoSubject { slug: String },
    #[error("detects `{slug}` and does not expect it")]
    DetectsUnexpected { slug: String },
    #[error("a control or a board is left out for a reason, and there is none")]
    NoReason,
    #[error("`{name}` has no identity of its own: to the hub it is `{identity}`")]
    NotAnIdentity { name: String, identity: String },
    #[error("the identity of `{name}` is its own, or that of another clone")]
    IdentityOfNobody { name: String },
    #[error("a security group is given by its `rules` or by a `file`, not by {given}")]
    GroupTwice { given: &'static str },
    #[error("the security group `{name}` is among `security_groups` already")]
    GroupElsewhere { name: String },
    #[error("{why}")]
    GroupFile { why: String },
}

impl Problem {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownVariable { suggestion, .. }
            | Self::UnknownKey { suggestion, .. }
            | Self::UnknownWord { suggestion, .. }
            | Self::UnknownName { suggestion, .. }
            | Self::UnknownTechnique { suggestion, .. }
            | Self::UnknownParameter { suggestion, .. } => Some(suggestion.to_string()),
            Self::BooleanTrap { word } => Some(trap_help(word)),
            Self::WrongType { expected, found } => quote_help(expected, found),
            Self::Duration { error: InvalidSpan::UnitMissing, text } => {
                Some(format!("for example `{text}s` or `{text}m`"))
            }
            Self::MissingParameter { parameter, expected, .. } => {
                Some(format!("add `with: {{ {parameter}: ... }}`, {expected}"))
            }
            Self::Syntax { flow_variable: true, .. } => {
                Some("within `{ }` and `[ ]` a variable needs quotes: \"${name}\"".to_owned())
            }
            _ => self.fixed_help().map(str::to_owned),
        }
    }

    fn fixed_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Alias => "use `vars:` for what stands in several places",
            Self::Tag { .. } => "leave the tag out, and put text that looks like a number into quotes",
            Self::AllowListLacks { .. } => {
                "10.42.0.0/24 and 10.77.0.0/24 hold all of them; an empty list allows nothing on purpose"
            }
            Self::NotSingleKey { .. } => "is the indentation right? what belongs to the key stands below it",
            Self::NotDocumentation { .. } => {
                "a device must never contact a real host: 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24"
            }
            Self::NoProof => "add `proof:` with the event that the attack cannot do without",
            Self::SecondMalicious => "chains of attacks go to scenarios/campaigns/",
            Self::DuplicateAlert { .. } => "raise its `count`",
            Self::NestedMalicious => "all steps of an attack stand in one `do:`",
            Self::DetectsUnexpected { .. } => "add it to `expect.alerts`, or take it out of `detects`",
            Self::IdentityOfNobody { .. } => "name another device, one without `identity`",
            Self::GroupFile { .. } => {
                "an export of Microsoft.Security/deviceSecurityGroups, its path relative to this file"
            }
            Self::NoDevices => "for example `devices: { pump-1: { auth: { sas: { ttl: 1h } } } }`",
            _ => return None,
        })
    }
}

fn trap_help(word: &str) -> String {
    let truth = if ["on", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)) { "true" } else { "false" };
    format!("write `{truth}` for the boolean, `\"{word}\"` for the text")
}

fn quote_help(expected: &str, found: &str) -> Option<String> {
    let text = found.strip_prefix("the number `").or_else(|| found.strip_prefix("the boolean `"))?;
    let text = text.strip_suffix('`')?;
    (expected == "text" || expected.starts_with("the name of"))
        .then(|| format!("put it into quotes: \"{text}\""))
}
