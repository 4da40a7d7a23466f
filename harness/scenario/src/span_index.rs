//! Finds the position of a part of a scenario file by its path, such as `expect.alerts[0].count`.

use std::collections::BTreeMap;

use crate::error::Report;
use crate::node::{Content, Node};
use crate::position::{Lines, Position};
use crate::read::read;

/// Positions of every part of a scenario file.
///
/// A path is the keys from the root, joined with dots, and indices in brackets. A key that holds other
/// characters than letters, digits, `_` and `-` stands in brackets and quotes: `devices["pump.1"].auth`.
#[derive(Clone, Debug)]
pub struct SpanIndex(Outline);

#[derive(Clone, Debug)]
struct Outline {
    position: Position,
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    None,
    List(Vec<Outline>),
    Map(BTreeMap<String, Outline>),
}

/// One step on a path.
#[derive(Debug, PartialEq, Eq)]
enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

impl SpanIndex {
    pub(crate) fn new(root: &Node, lines: &Lines) -> Self {
        Self(outline(root, lines))
    }

    /// The positions in a JSON text, as far as it is also YAML: tabs as indentation are not.
    pub fn of_json(text: &str) -> Option<Self> {
        let mut report = Report::new("json".into(), text);
        let root = read(text, &mut report);
        let (lines, root) = report.finish(root).ok()?;
        Some(Self::new(&root, &lines))
    }

    /// The position of the value at `path`, if the file holds one there.
    pub fn locate(&self, path: &str) -> Option<Position> {
        let mut here = &self.0;
        for segment in segments(path) {
            here = here.part(&segment?)?;
        }
        Some(here.position)
    }

    /// The position of the value at `path`, or else of the innermost part around it that the file holds:
    /// what is left to its default has no place of its own.
    pub fn locate_nearest(&self, path: &str) -> Position {
        let mut here = &self.0;
        for segment in segments(path) {
            match segment.and_then(|segment| here.part(&segment)) {
                Some(part) => here = part,
                None => break,
            }
        }
        here.position
    }
}

impl Outline {
    fn part(&self, segment: &Segment<'_>) -> Option<&Outline> {
        match (&self.parts, segment) {
            (Parts::List(items), Segment::Index(index)) => items.get(*index),
            (Parts::Map(entries), Segment::Key(key)) => entries.get(*key),
            _ => None,
        }
    }
}

fn outline(node: &Node, lines: &Lines) -> Outline {
    let parts = match &node.content {
        Content::List(items) => Parts::List(items.iter().map(|item| outline(item, lines)).collect()),
        Content::Map(entries) => {
            let part = |entry: &crate::node::Entry| (entry.key.clone(), outline(&entry.value, lines));
            Parts::Map(entries.iter().map(part).collect())
        }
        Content::Scalar(_) | Content::Poisoned => Parts::None,
    };
    Outline { position: lines.position(&node.range), parts }
}

/// Takes a path apart; a piece that is no segment comes out as nothing and ends it.
fn segments(path: &str) -> impl Iterator<Item = Option<Segment<'_>>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (segment, behind) = match segment(rest) {
            Some((segment, behind)) => (Some(segment), behind),
            None => (None, ""),
        };
        rest = behind;
        Some(segment)
    })
}

fn segment(rest: &str) -> Option<(Segment<'_>, &str)> {
    if let Some(quoted) = rest.strip_prefix("[\"") {
        let (key, behind) = quoted.split_once("\"]")?;
        return Some((Segment::Key(key), behind));
    }
    if let Some(index) = rest.strip_prefix('[') {
        let (index, behind) = index.split_once(']')?;
        return Some((Segment::Index(index.parse().ok()?), behind));
    }
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (key, behind) = rest.split_at(end);
    (!key.is_empty()).then_some((Segment::Key(key), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "devices:\n  pump.1: { auth: { sas: { ttl: 1h } } }\nexpect:\n  alerts:\n    - alert: sas-expired\n      count: 12\n    - { alert: d2c-mqtt }\n";

    fn index() -> SpanIndex {
        let mut report = Report::new("x.yaml".into(), SOURCE);
        let root = read(SOURCE, &mut report).unwrap();
        SpanIndex::new(&root, &report.finish(Some(())).unwrap().0)
    }

    fn text(path: &str) -> &'static str {
        let position = index().locate(path).unwrap();
        &SOURCE[position.offset..position.offset + position.len]
    }

    #[test]
    fn a_path_leads_to_exactly_its_value() {
        assert_eq!(text("expect.alerts[0].count"), "12");
        assert_eq!(text("expect.alerts[0]"), "alert: sas-expired");
        assert_eq!(text("expect.alerts[1]"), "{ alert: d2c-mqtt }");
        assert_eq!(text("devices[\"pump.1\"].auth.sas.ttl"), "1h");
        let count = index().locate("expect.alerts[0].count").unwrap();
        assert_eq!((count.line, count.column, count.len), (6, 14, 2));
    }

    #[test]
    fn json_has_positions_too() {
        let index = SpanIndex::of_json("{\n  \"rules\": [\n    { \"max\": 3 }\n  ]\n}\n").unwrap();
        let position = index.locate("rules[0].max").unwrap();
        assert_eq!((position.line, position.column), (3, 14));
        assert!(SpanIndex::of_json("{").is_none());
    }

    #[test]
    fn a_path_into_nothing_finds_nothing_or_what_is_around_it() {
        for path in
            ["expect.alerts[2]", "expect.alerts[1].count", "x", "expect.alerts[one]", "expect..alerts"]
        {
            assert_eq!(index().locate(path), None, "{path}");
        }
        assert_eq!(
            Some(index().locate_nearest("expect.alerts[1].count")),
            index().locate("expect.alerts[1]")
        );
        assert_eq!(Some(index().locate_nearest("nowhere")), index().locate(""));
    }
}
