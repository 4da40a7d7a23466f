//! "Did you mean ...?"

use std::fmt;

/// More names than this are no help.
const LISTED_MAX: usize = 16;

/// What could have been meant by an unknown word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The known word that is spelled most alike, if one is.
    pub nearest: Option<String>,
    /// Every known word.
    pub known: Vec<String>,
}

impl Suggestion {
    /// Compares a word with the known ones.
    pub(crate) fn new<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let written = plain_spelling(word);
        let distance = |name: &String| strsim::damerau_levenshtein(&written, &plain_spelling(name));
        let most = (written.chars().count() / 3).max(1);
        let nearest = known.iter().map(|name| (distance(name), name)).min();
        let nearest = nearest.filter(|(distance, _)| *distance <= most).map(|(_, name)| name.clone());
        Self { nearest, known }
    }
}

/// `sas_expired` and `SAS-expired` are one slip away from `sas-expired`, not three.
fn plain_spelling(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nearest {
            Some(nearest) => write!(f, "did you mean `{nearest}`?"),
            None if self.known.is_empty() => f.write_str("none is known here"),
            None if self.known.len() > LISTED_MAX => {
                write!(f, "known are: {}, ...", self.known[..LISTED_MAX].join(", "))
            }
            None => write!(f, "known are: {}", self.known.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_finds_its_word() {
        let known = ["advance", "behaviour", "connect"];
        for slip in ["advnce", "advanec", "Advance", "advances"] {
            assert_eq!(Suggestion::new(slip, known).to_string(), "did you mean `advance`?", "{slip}");
        }
        let underscores = Suggestion::new("x509_thumbprint_mismatch", ["x509-thumbprint-mismatch"]);
        assert_eq!(underscores.nearest.as_deref(), Some("x509-thumbprint-mismatch"));
    }

    #[test]
    fn a_word_like_no_other_gets_the_list() {
        let known = ["advance", "connect"];
        assert_eq!(Suggestion::new("explode", known).to_string(), "known are: advance, connect");
        assert_eq!(Suggestion::new("pump-1", []).to_string(), "none is known here");
    }
}
