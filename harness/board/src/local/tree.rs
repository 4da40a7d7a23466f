//! From the text of the local file to a tree that knows where each part stands.

use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};

use super::wrong::{Place, Report};

/// The file is three levels deep.
const DEPTH_MAX: usize = 16;

/// A part of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a part of the file is. Numbers are text: serial numbers may look like them.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    List(Vec<Node>),
    /// Keys with their values; keys are texts.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar; empty for what is none.
    pub(super) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            Content::List(_) | Content::Map(_) => "",
        }
    }

    /// Whether nothing was written.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Text(text) if text.is_empty())
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Text(text) if text.is_empty() => "nothing",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }
}

/// Reads the file's one document. Nothing without an error in the report: the file is empty.
pub(super) fn read(source: &str, report: &mut Report) -> Option<Node> {
    let mut builder = Builder { open: Vec::new(), root: None, report };
    let mut documents = 0;
    for next in Parser::<StrInput<'_>>::new_from_str(source) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                builder.syntax(&error);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
        }
        if documents > 1 || builder.open.len() > DEPTH_MAX {
            let problem = if documents > 1 { "a second document" } else { "lists and maps nested too deep" };
            builder.report.add(place(&span), problem.to_owned(), None);
            return None;
        }
        builder.event(event, place(&span));
    }
    builder.root
}

/// saphyr counts lines from 1 and columns from 0.
fn place(span: &Span) -> Place {
    let one_line = span.start.line() == span.end.line();
    let length = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place { line: span.start.line(), column: span.start.col() + 1, length }
}

struct Builder<'a> {
    /// Collections whose end was not seen yet; a map's key waits for its value.
    open: Vec<(Node, Option<Node>)>,
    root: Option<Node>,
    report: &'a mut Report,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, place: Place) {
        match event {
            Event::Scalar(text, ..) => {
                self.put(Node { place, content: Content::Text(text.into_owned()) });
            }
            Event::Alias(_) => {
                self.report.add(place, "an alias".to_owned(), Some("write it out".to_owned()));
                self.put(Node { place, content: Content::Text(String::new()) });
            }
            Event::SequenceStart(..) => {
                self.open.push((Node { place, content: Content::List(Vec::new()) }, None));
            }
            Event::MappingStart(..) => {
                self.open.push((Node { place, content: Content::Map(Vec::new()) }, None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((node, _)) = self.open.pop() {
                    self.put(node);
                }
            }
            _ => {}
        }
    }

    /// Puts a finished part where it belongs: into the innermost open collection, or at the root.
    fn put(&mut self, node: Node) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Content::Text(_) => {}
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let (line, column) = (error.marker().line(), error.marker().col() + 1);
        self.report.add(Place { line, column, length: 1 }, error.info().to_owned(), None);
    }
}
