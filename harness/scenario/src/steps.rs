//! The steps of a file in the order of the text, those within others included, whether they decode or not:
//! a mistake in one part of a step does not keep the others from being checked.

use std::ops::Range;

use crate::node::{Entry, Node};

/// A step that holds no other steps.
pub(crate) struct Leaf<'a> {
    /// Its name, such as `connect`.
    pub(crate) name: &'a str,
    /// What belongs to it.
    pub(crate) body: &'a Node,
}

/// An attack.
pub(crate) struct Attack {
    /// The key `malicious`.
    pub(crate) key_range: Range<usize>,
    /// Within another attack.
    pub(crate) nested: bool,
}

/// All steps of a file.
#[derive(Default)]
pub(crate) struct Steps<'a> {
    pub(crate) leaves: Vec<Leaf<'a>>,
    pub(crate) attacks: Vec<Attack>,
}

impl<'a> Steps<'a> {
    /// The steps below the root of a file.
    pub(crate) fn of(root: &'a Node) -> Self {
        let mut steps = Self::default();
        if let Some(list) = root.get("steps") {
            steps.list(list, false);
        }
        steps
    }

    fn list(&mut self, list: &'a Node, within_attack: bool) {
        for entry in list.items().iter().flat_map(Node::entries) {
            self.step(entry, within_attack);
        }
    }

    fn step(&mut self, entry: &'a Entry, within_attack: bool) {
        let body = &entry.value;
        match entry.key.as_str() {
            "malicious" => {
                self.attacks.push(Attack { key_range: entry.key_range.clone(), nested: within_attack });
                for list in ["do", "benign"].iter().filter_map(|key| body.get(key)) {
                    self.list(list, true);
                }
            }
            "parallel" => body.items().iter().for_each(|branch| self.list(branch, within_attack)),
            "repeat" => body.get("steps").into_iter().for_each(|list| self.list(list, within_attack)),
            name => self.leaves.push(Leaf { name, body }),
        }
    }
}
