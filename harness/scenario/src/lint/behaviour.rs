//! Behaviours and their parameters, against the registry of the agent.

use std::net::Ipv4Addr;

use hilarm_agent::behaviours::{self, Behaviour, Param, ParamKind};

use super::Lint;
use crate::node::{Entry, Node};
use crate::problem::Problem;
use crate::schema::{Argument, BehaviourStep};
use crate::suggest::Suggestion;

impl Lint<'_> {
    pub(super) fn behaviour(&mut self, step: &BehaviourStep, body: &Node) {
        // The shape check has reported an unknown name already.
        let Some(behaviour) = behaviours::find(&step.run) else { return };
        let given = body.get("with").map(Node::entries).unwrap_or_default();
        for entry in given {
            match behaviour.params.iter().find(|param| param.name == entry.key) {
                Some(param) => self.parameter(param, step.with.get(&entry.key), entry),
                None => self.unknown_parameter(behaviour, entry),
            }
        }
        for param in behaviour.params.iter().filter(|param| param.required) {
            if !step.with.contains_key(param.name) {
                let (behaviour, parameter) = (behaviour.name.to_owned(), param.name.to_owned());
                let expected = expected(param.kind);
                let problem = Problem::MissingParameter { behaviour, parameter, expected };
                self.report.add(body.range_of("run"), problem);
            }
        }
    }

    fn unknown_parameter(&mut self, behaviour: &Behaviour, entry: &Entry) {
        let suggestion = Suggestion::new(&entry.key, behaviour.params.iter().map(|param| param.name));
        let (behaviour, parameter) = (behaviour.name.to_owned(), entry.key.clone());
        let problem = Problem::UnknownParameter { behaviour, parameter, suggestion };
        self.report.add(entry.key_range.clone(), problem);
    }

    fn parameter(&mut self, param: &Param, argument: Option<&Argument>, entry: &Entry) {
        let shown = entry.value.range.clone();
        match (param.kind, argument) {
            (ParamKind::Int { min, max }, Some(Argument::Int(number))) => {
                if !(min..=max).contains(number) {
                    let (value, least, most) = (number.to_string(), min.to_string(), max.to_string());
                    self.report.add(shown, Problem::OutOfRange { value, least, most });
                }
            }
            (ParamKind::Address, Some(Argument::Text(text))) => match text.parse::<Ipv4Addr>() {
                Ok(address) => self.documentation_address(address, shown),
                Err(_) => {
                    let expected = "an IPv4 address, such as `203.0.113.66`";
                    self.report.add(shown, Problem::Malformed { text: text.clone(), expected });
                }
            },
            (ParamKind::Certificate, Some(Argument::Text(name))) => self.certificate(name, shown),
            (ParamKind::Text, Some(Argument::Text(_))) | (_, None) => {}
            (kind, Some(argument)) => {
                let problem = Problem::WrongType { expected: expected(kind), found: found(argument) };
                self.report.add(shown, problem);
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

fn found(argument: &Argument) -> String {
    match argument {
        Argument::Int(number) => format!("the number `{number}`"),
        Argument::Text(text) => format!("the text `{text}`"),
    }
}
