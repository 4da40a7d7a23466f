//! Behaviours and their parameters, against the registry of the agent.

use std::net::Ipv4Addr;
use std::ops::Range;

use hilarm_agent::behaviours::{self, Behaviour, Param, ParamKind};

use super::Lint;
use crate::node::{Content, Entry, Meaning, Node};
use crate::problem::Problem;
use crate::suggest::Suggestion;

impl Lint<'_> {
    pub(super) fn behaviour(&mut self, step: &Node) {
        // The shape check has reported an unknown name already.
        let Some((name, shown)) = self.text(step, "run") else { return };
        let Some(behaviour) = behaviours::find(name) else { return };
        let given = step.get("with").map(Node::entries).unwrap_or_default();
        let readable = step.get("with").is_none_or(|with| self.report.is_sound(with));
        let required = behaviour.params.iter().filter(|param| param.required && readable);
        let mut missing: Vec<&Param> = required.collect();
        for entry in given {
            match behaviour.params.iter().find(|param| param.name == entry.key) {
                Some(param) => self.parameter(param, entry),
                None => self.unknown_parameter(behaviour, entry, &mut missing),
            }
            missing.retain(|param| param.name != entry.key);
        }
        for param in missing {
            let (behaviour, parameter) = (behaviour.name.to_owned(), param.name.to_owned());
            let expected = expected(param.kind);
            self.report.add(shown.clone(), Problem::MissingParameter { behaviour, parameter, expected });
        }
    }

    /// A misspelled parameter is not also a missing one.
    fn unknown_parameter(&mut self, behaviour: &Behaviour, entry: &Entry, missing: &mut Vec<&Param>) {
        let suggestion = Suggestion::new(&entry.key, behaviour.params.iter().map(|param| param.name));
        missing.retain(|param| Some(param.name) != suggestion.nearest.as_deref());
        let (behaviour, parameter) = (behaviour.name.to_owned(), entry.key.clone());
        let problem = Problem::UnknownParameter { behaviour, parameter, suggestion };
        self.report.add(entry.key_range.clone(), problem);
    }

    fn parameter(&mut self, param: &Param, entry: &Entry) {
        let Content::Scalar(scalar) = &entry.value.content else { return };
        let shown = entry.value.range.clone();
        match (param.kind, scalar.meaning()) {
            (ParamKind::Int { min, max }, Meaning::Int(number)) => {
                if !(i128::from(min)..=i128::from(max)).contains(&number)
                    && self.report.is_sound(&entry.value)
                {
                    let (value, range) = (number.to_string(), format!("{min} to {max}"));
                    self.report.add(shown, Problem::OutOfRange { value, range });
                }
            }
            (ParamKind::Address, Meaning::Text(text)) => self.address(text, shown),
            (ParamKind::Certificate, Meaning::Text(name)) => self.certificate(name, shown),
            (ParamKind::Text, Meaning::Text(_)) => {}
            (kind, Meaning::Int(_) | Meaning::Text(_)) => {
                let (expected, found) = (expected(kind), crate::shape::found(&entry.value));
                self.report.add(shown, Problem::WrongType { expected, found });
            }
            // Neither number nor text: the shape check has said so.
            (_, Meaning::Null | Meaning::Bool(_) | Meaning::Float(_)) => {}
        }
    }

    fn address(&mut self, text: &str, shown: Range<usize>) {
        match text.parse::<Ipv4Addr>() {
            Ok(address) => self.documentation_address(address, shown),
            Err(_) => {
                let expected = "an IPv4 address, such as `203.0.113.66`";
                self.report.add(shown, Problem::Malformed { text: text.to_owned(), expected });
            }
        }
    }
}

fn expected(kind: ParamKind) -> String {
    match kind {
        ParamKind::Int { min, max } => format!("a whole number from {min} to {max}"),
        ParamKind::Address => "an IPv4 address".to_owned(),
        ParamKind::Text => "text".to_owned(),
        ParamKind::Certificate => "the name of a certificate".to_owned(),
    }
}
