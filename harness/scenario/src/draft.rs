//! The sound parts of a file that may have unsound ones. Parts decode one by one, so that a mistake in one
//! device does not keep the others, or the steps, from being checked.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::error::Report;
use crate::node::{Entry, Node};
use crate::problem::Problem;
use crate::schema::Step;
use crate::yaml;

/// A part with what it decoded to.
pub(crate) struct Part<'a, T> {
    pub(crate) node: &'a Node,
    pub(crate) value: T,
}

/// A step that holds no other steps.
pub(crate) struct Leaf<'a> {
    /// What belongs to the step, below its name.
    pub(crate) body: &'a Node,
    pub(crate) step: Step,
}

/// An attack.
pub(crate) struct Attack {
    /// The key `malicious`.
    pub(crate) key_range: Range<usize>,
    /// Within another attack.
    pub(crate) nested: bool,
}

/// All steps of a file in the order of the text.
#[derive(Default)]
pub(crate) struct Steps<'a> {
    pub(crate) leaves: Vec<Leaf<'a>>,
    pub(crate) attacks: Vec<Attack>,
}

/// The value at a path of keys, if the file holds one.
pub(crate) fn at<'a>(root: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(root, |node, key| node.get(key))
}

/// The keys of a map.
pub(crate) fn keys<'a>(root: &'a Node, path: &[&str]) -> BTreeSet<&'a str> {
    let entries = at(root, path).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// One part, if it is sound.
pub(crate) fn part<'a, T: DeserializeOwned>(node: &'a Node, report: &mut Report) -> Option<Part<'a, T>> {
    if !report.is_sound(node) {
        return None;
    }
    match yaml::decode(node) {
        Ok(value) => Some(Part { node, value }),
        Err(error) => {
            // The shape check let it through and serde does not: they disagree, and a file must not panic us.
            report.add(node.range.clone(), Problem::Decode { message: error.to_string() });
            None
        }
    }
}

/// The sound values of a map.
pub(crate) fn values<'a, T: DeserializeOwned>(
    root: &'a Node,
    path: &[&str],
    report: &mut Report,
) -> Vec<(&'a Entry, Part<'a, T>)> {
    let entries = at(root, path).map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry, part(&entry.value, report)?))).collect()
}

/// The sound items of a list.
pub(crate) fn items<'a, T: DeserializeOwned>(
    root: &'a Node,
    path: &[&str],
    report: &mut Report,
) -> Vec<Part<'a, T>> {
    let items = at(root, path).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| part(item, report)).collect()
}

/// The steps of a file, those within others included.
pub(crate) fn steps<'a>(root: &'a Node, report: &mut Report) -> Steps<'a> {
    let mut steps = Steps::default();
    if let Some(list) = root.get("steps") {
        steps.list(list, false, report);
    }
    steps
}

impl<'a> Steps<'a> {
    fn list(&mut self, list: &'a Node, within_attack: bool, report: &mut Report) {
        for item in list.items() {
            match item.entries() {
                [entry] => self.step(item, entry, within_attack, report),
                _ => continue,
            }
        }
    }

    fn step(&mut self, item: &'a Node, entry: &'a Entry, within_attack: bool, report: &mut Report) {
        let body = &entry.value;
        match entry.key.as_str() {
            "malicious" => {
                self.attacks.push(Attack { key_range: entry.key_range.clone(), nested: within_attack });
                for list in ["do", "benign"].iter().filter_map(|key| body.get(key)) {
                    self.list(list, true, report);
                }
            }
            "parallel" => body.items().iter().for_each(|branch| self.list(branch, within_attack, report)),
            "repeat" => {
                if let Some(list) = body.get("steps") {
                    self.list(list, within_attack, report);
                }
            }
            _ => self.leaves.extend(part(item, report).map(|part| Leaf { body, step: part.value })),
        }
    }
}
