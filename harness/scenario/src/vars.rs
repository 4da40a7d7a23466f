//! `vars:` at the top of a file, used as `${name}` within values: the only templating there is.
//! A value that is `${name}` and nothing else takes the variable's type; elsewhere it is put into the text.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Report;
use crate::node::{Content, Entry, Node, Scalar};
use crate::problem::Problem;
use crate::suggest::Suggestion;

const KEY: &str = "vars";

/// Puts the variables in and takes `vars` out of the tree.
pub(crate) fn substitute(root: &mut Node, report: &mut Report) {
    let Content::Map(entries) = &mut root.content else { return };
    let vars = entries.iter().position(|entry| entry.key == KEY).map(|index| entries.remove(index));
    let values = vars.map(|vars| values(vars, report)).unwrap_or_default();
    let mut substitution = Substitution { values, report };
    substitution.entries(entries);
}

/// What each name stands for; nothing for one whose value was refused.
type Values = BTreeMap<String, Option<Scalar>>;

fn values(vars: Entry, report: &mut Report) -> Values {
    let Content::Map(entries) = vars.value.content else {
        let expected = "a map from names to values".to_owned();
        let found = "something else".to_owned();
        report.add(vars.key_range, Problem::WrongType { expected, found });
        return Values::new();
    };
    entries.into_iter().map(|entry| (entry.key, value(entry.value, report))).collect()
}

fn value(node: Node, report: &mut Report) -> Option<Scalar> {
    match node.content {
        Content::Scalar(scalar) if scalar.text.contains("${") => {
            report.add(node.range, Problem::VariableInVariable);
            None
        }
        Content::Scalar(scalar) => Some(scalar),
        Content::Poisoned => None,
        Content::List(_) | Content::Map(_) => {
            report.add(node.range, Problem::VariableNotScalar);
            None
        }
    }
}

struct Substitution<'a> {
    values: Values,
    report: &'a mut Report,
}

impl Substitution<'_> {
    /// A key that holds a variable goes, lest it be called unknown too.
    fn entries(&mut self, entries: &mut Vec<Entry>) {
        entries.retain_mut(|entry| {
            self.node(&mut entry.value);
            let sound = !entry.key.contains("${");
            if !sound {
                self.report.add(entry.key_range.clone(), Problem::VariableInKey);
            }
            sound
        });
    }

    fn node(&mut self, node: &mut Node) {
        match &mut node.content {
            Content::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Content::Map(entries) => self.entries(entries),
            Content::Scalar(scalar) if scalar.text.contains("${") => {
                let filled = self.fill(scalar, &node.range);
                node.content = filled.map_or(Content::Poisoned, Content::Scalar);
            }
            Content::Scalar(_) | Content::Poisoned => {}
        }
    }

    /// The scalar with its variables put in; nothing if one of them is unknown.
    fn fill(&mut self, scalar: &Scalar, range: &Range<usize>) -> Option<Scalar> {
        if let Some(name) = whole(&scalar.text) {
            return self.value(name, range);
        }
        let (mut text, mut rest) = (String::new(), scalar.text.as_str());
        let mut sound = true;
        while let Some((before, behind)) = rest.split_once("${") {
            text.push_str(before);
            let Some((name, after)) = behind.split_once('}').filter(|(name, _)| !name.is_empty()) else {
                let shown = self.place(&format!("${{{}", first_line(behind)), range);
                self.report.add(shown, Problem::UnclosedVariable);
                return None;
            };
            match self.value(name, range) {
                Some(value) => text.push_str(&value.text),
                None => sound = false,
            }
            rest = after;
        }
        text.push_str(rest);
        sound.then_some(Scalar { text, plain: scalar.plain })
    }

    fn value(&mut self, name: &str, range: &Range<usize>) -> Option<Scalar> {
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        let suggestion = Suggestion::new(name, self.values.keys().map(String::as_str));
        let shown = self.place(&format!("${{{name}}}"), range);
        self.report.add(shown, Problem::UnknownVariable { name: name.to_owned(), suggestion });
        None
    }

    /// Where a part of a scalar stands in the source; all of the scalar if escapes hide it.
    fn place(&self, part: &str, range: &Range<usize>) -> Range<usize> {
        match self.report.source(range).find(part) {
            Some(at) => range.start + at..range.start + at + part.len(),
            None => range.clone(),
        }
    }
}

/// The name in a text that is one variable and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['$', '}'])).then_some(name)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Meaning;
    use crate::read::read;

    fn substituted(source: &str) -> Node {
        let mut report = Report::new("x.yaml".into(), source);
        let mut root = read(source, &mut report).unwrap();
        substitute(&mut root, &mut report);
        report.finish(Some(())).unwrap();
        root
    }

    fn meaning<'a>(root: &'a Node, key: &str) -> Meaning<'a> {
        match &root.get(key).unwrap().content {
            Content::Scalar(scalar) => scalar.meaning(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_that_is_a_variable_takes_its_type() {
        let root = substituted("vars: { n: 31, word: '31' }\na: ${n}\nb: { }\nc: \"${n}\"\nd: ${word}\n");
        assert_eq!(meaning(&root, "a"), Meaning::Int(31));
        assert_eq!(meaning(&root, "c"), Meaning::Int(31));
        assert_eq!(meaning(&root, "d"), Meaning::Text("31"));
        assert!(root.get("vars").is_none());
    }

    #[test]
    fn variables_within_text_become_part_of_it() {
        let root = substituted("vars: { n: 61, d: pump }\na: ${n}m\nb: \"${d}-${n}\"\nc: 1${n}\n");
        assert_eq!(meaning(&root, "a"), Meaning::Text("61m"));
        assert_eq!(meaning(&root, "b"), Meaning::Text("pump-61"));
        assert_eq!(meaning(&root, "c"), Meaning::Int(161));
    }

    #[test]
    fn positions_stay_those_of_the_file() {
        let source = "vars: { n: 31 }\na: ${n}\n";
        let root = substituted(source);
        assert_eq!(&source[root.get("a").unwrap().range.clone()], "${n}");
    }
}
