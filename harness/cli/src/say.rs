//! Lines for people. A reader that went away (`| head`) ends nothing: a run still comes to its verdict.

use std::fmt::Display;
use std::io::{self, Write};

/// One line, or more, on standard output.
pub(crate) fn out(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// One line, or more, on standard error.
pub(crate) fn err(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// `1 trial`, `2 trials`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
