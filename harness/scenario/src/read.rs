//! From text to a [`Node`] tree, over saphyr-parser's events. What YAML allows and scenarios do not
//! (anchors, tags, several documents, YAML 1.1 booleans) is reported here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Marks, StrInput, Tag};

use crate::error::Report;
use crate::node::{Content, Entry, Node, Scalar};
use crate::problem::Problem;

/// Collections within collections; scenarios need about twelve.
const DEPTH_MAX: usize = 64;

/// A scenario is a page of text.
const BYTES_MAX: usize = 1 << 20;

/// Reads the one document of `source`. Answers nothing when nothing can be said about its shape.
pub(crate) fn read(source: &str, report: &mut Report) -> Option<Node> {
    if source.len() > BYTES_MAX {
        report.add(0..0, Problem::TooLong { bytes: source.len(), most: BYTES_MAX });
        return None;
    }
    let mut builder = Builder { offsets: Offsets::new(source), source, open: Vec::new(), root: None, report };
    match builder.run(&mut Parser::new_from_str(source)) {
        Ok(()) if builder.root.is_none() => builder.report.add(0..0, Problem::Empty),
        Ok(()) => {}
        Err(Stop) => return None,
    }
    builder.root
}

/// The error is in the report already.
struct Stop;

/// Byte offsets of characters: saphyr counts characters.
struct Offsets(Vec<usize>);

impl Offsets {
    fn new(source: &str) -> Self {
        Self(source.char_indices().map(|(at, _)| at).chain([source.len()]).collect())
    }

    fn byte(&self, character: usize) -> usize {
        self.0.get(character).or(self.0.last()).copied().unwrap_or(0)
    }

    fn range(&self, marks: &Marks) -> Range<usize> {
        let start = self.byte(marks.start.index());
        start..self.byte(marks.end.index()).max(start)
    }
}

/// A collection whose end was not seen yet.
enum Open {
    List { start: usize, items: Vec<Node> },
    Map { start: usize, entries: Vec<Entry>, key: Option<Key>, seen: BTreeMap<String, usize> },
}

/// A key that waits for its value; without text if it was refused.
struct Key {
    text: Option<String>,
    range: Range<usize>,
}

struct Builder<'a> {
    offsets: Offsets,
    source: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    report: &'a mut Report,
}

impl Builder<'_> {
    fn run(&mut self, parser: &mut Parser<'_, StrInput<'_>>) -> Result<(), Stop> {
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, marks) = next.map_err(|error| self.syntax(&error))?;
            let range = self.offsets.range(&marks);
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
            }
            if documents > 1 {
                self.report.add(range, Problem::SeveralDocuments);
                return Err(Stop);
            }
            self.event(event, range)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) -> Result<(), Stop> {
        match event {
            Event::Alias(_) => {
                self.report.add(range.clone(), Problem::Alias);
                self.place(Node { range, content: Content::Poisoned });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag, &range);
                let content = self.scalar(text, style, &range);
                self.place(Node { range, content });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag, &range);
                self.begin(Open::List { start: range.start, items: Vec::new() }, range)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag, &range);
                let (entries, key, seen) = (Vec::new(), None, BTreeMap::new());
                self.begin(Open::Map { start: range.start, entries, key, seen }, range)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
            _ => {}
        }
        Ok(())
    }

    fn refuse(&mut self, anchor: usize, tag: Option<Cow<'_, Tag>>, range: &Range<usize>) {
        if anchor != 0 {
            self.report.add(range.clone(), Problem::Alias);
        }
        if let Some(tag) = tag {
            self.report.add(range.clone(), Problem::Tag { tag: tag.to_string() });
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, range: &Range<usize>) -> Content {
        let plain = style == ScalarStyle::Plain;
        if plain && is_boolean_trap(&text) {
            self.report.add(range.clone(), Problem::BooleanTrap { word: text.into_owned() });
            return Content::Poisoned;
        }
        Content::Scalar(Scalar { text: text.into_owned(), plain })
    }

    fn begin(&mut self, open: Open, range: Range<usize>) -> Result<(), Stop> {
        if self.open.len() == DEPTH_MAX {
            self.report.add(range, Problem::TooDeep { most: DEPTH_MAX });
            return Err(Stop);
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, end: usize) {
        let (start, content) = match self.open.pop() {
            Some(Open::List { start, items }) => (start, Content::List(items)),
            Some(Open::Map { start, entries, .. }) => (start, Content::Map(entries)),
            None => return,
        };
        // saphyr ends a block collection where the next token begins, comments and all in between.
        let text = self.source.get(start..end).unwrap_or_default();
        let range = start..start + text.trim_end().len();
        self.place(Node { range, content });
    }

    /// Puts a finished node where it belongs: into the innermost open collection, or at the root.
    fn place(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, seen, .. }) => match key.take() {
                None => *key = Some(check_key(node, seen, self.report)),
                Some(Key { text: Some(text), range }) => {
                    entries.push(Entry { key: text, key_range: range, value: node });
                }
                Some(_) => {}
            },
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let at = self.offsets.byte(error.marker().index());
        let flow_variable = self.report.line_text(at).contains("${");
        self.report.add(at..at + 1, Problem::Syntax { message: error.info().to_owned(), flow_variable });
        Stop
    }
}

fn check_key(node: Node, seen: &mut BTreeMap<String, usize>, report: &mut Report) -> Key {
    let range = node.range;
    let text = match node.content {
        Content::Scalar(scalar) => scalar.text,
        Content::Poisoned => return Key { text: None, range },
        Content::List(_) | Content::Map(_) => {
            report.add(range.clone(), Problem::KeyIsNoScalar);
            return Key { text: None, range };
        }
    };
    if let Some(first) = seen.get(&text) {
        let first_line = report.line(*first);
        report.add(range.clone(), Problem::DuplicateKey { key: text, first_line });
        return Key { text: None, range };
    }
    seen.insert(text.clone(), range.start);
    Key { text: Some(text), range }
}

/// Words that YAML 1.1 reads as booleans and YAML 1.2 as text: what they mean depends on the reader.
fn is_boolean_trap(text: &str) -> bool {
    ["on", "off", "yes", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
