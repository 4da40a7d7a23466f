//! May something be installed? Asked once for each thing, on a terminal; decided by flags elsewhere.

use std::io::{self, BufRead, IsTerminal, Write};

/// What the user said about installing.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Consent {
    /// Install what is missing without asking; also so where the environment holds `CI`.
    #[arg(long, short)]
    yes: bool,
}

impl Consent {
    /// Whether `what` may be done now.
    pub(crate) fn given_for(self, what: &str) -> bool {
        if self.yes || is_ci() {
            println!("xtask: {what}");
            return true;
        }
        if !io::stdin().is_terminal() {
            println!("xtask: not done, because nobody is here to agree (pass --yes): {what}");
            return false;
        }
        print!("xtask: {what}? [Y/n] ");
        // Without the prompt on the screen the answer would be to an unknown question.
        if io::stdout().flush().is_err() {
            return false;
        }
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).is_ok_and(|_| is_yes(&answer))
    }
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// An empty line takes the default; the end of input (no newline) is no answer.
fn is_yes(answer: &str) -> bool {
    answer.ends_with('\n') && matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn the_default_is_yes_and_a_closed_terminal_is_no() {
        assert!(is_yes("\n") && is_yes("Y\n") && is_yes("yes\r\n"));
        assert!(!is_yes("") && !is_yes("n\n") && !is_yes("maybe\n"));
    }
}
