//! What became of the mutants, as a person reads it.

use std::fmt;

/// What became of all mutants.
#[derive(Clone, Debug)]
pub struct MutationReport {
    /// Every mutant, in the order of the catalogue, the hub's last.
    pub tried: Vec<Tried>,
    /// Rows without mutants, since nothing can provoke them.
    pub out_of_reach: Vec<OutOfReach>,
}

/// A mutant and its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The row of the catalogue, or the hub's table of checks.
    pub rule: String,
    /// What was changed.
    pub change: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A run does not pass with it.
    Killed {
        /// The scenario.
        scenario: String,
        /// The run.
        variant: String,
    },
    /// Every run passes with it, although it is another rule.
    Survived {
        /// The scenario that should have noticed, if any is about the rule.
        nearest: Option<String>,
    },
    /// Every run passes with it, and nothing could tell it from the original.
    Equivalent {
        /// Why.
        reason: &'static str,
    },
    /// A run does not pass with it, although it was named the same as the original.
    Refuted {
        /// The reason that is not true.
        reason: &'static str,
        /// The scenario.
        scenario: String,
        /// The run.
        variant: String,
    },
}

/// A row of the catalogue without mutants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfReach {
    /// Slug of the row.
    pub rule: &'static str,
    /// Why nothing can provoke it.
    pub reason: &'static str,
}

impl MutationReport {
    /// Mutants that some scenario noticed, as it should.
    pub fn killed(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.fate, Fate::Killed { .. }))
    }

    /// Mutants that no scenario noticed.
    pub fn survivors(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.fate, Fate::Survived { .. }))
    }

    /// Changes that make no other rule.
    pub fn equivalents(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.fate, Fate::Equivalent { .. }))
    }

    /// Mutants that were wrongly named the same as the original.
    pub fn refuted(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| matches!(tried.fate, Fate::Refuted { .. }))
    }
}

impl fmt::Display for MutationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for OutOfReach { rule, reason } in &self.out_of_reach {
            writeln!(f, "{:>12} {rule}: {reason}", "OUT OF REACH")?;
        }
        for tried in self.equivalents().chain(self.refuted()).chain(self.survivors()) {
            writeln!(f, "{tried}")?;
        }
        let (equivalent, survived) = (self.equivalents().count(), self.survivors().count());
        let mutants = self.tried.len() - equivalent;
        let killed = mutants - survived;
        writeln!(f, "equivalent for the reasons above, and not counted: {equivalent}")?;
        write!(f, "{mutants} mutants, {killed} killed, {survived} survived")
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, change, fate } = self;
        match fate {
            Fate::Killed { scenario, variant } => {
                write!(f, "{:>12} {rule}: {change}; by {scenario} ({variant})", "KILLED")
            }
            Fate::Survived { nearest: Some(nearest) } => {
                write!(f, "{:>12} {rule}: {change}; nearest scenario {nearest}", "SURVIVED")
            }
            Fate::Survived { nearest: None } => {
                write!(f, "{:>12} {rule}: {change}; no scenario is about it", "SURVIVED")
            }
            Fate::Equivalent { reason } => write!(f, "{:>12} {rule}: {change}; {reason}", "EQUIVALENT"),
            Fate::Refuted { reason, scenario, variant } => write!(
                f,
                "{:>12} {rule}: {change}; noticed by {scenario} ({variant}), so it is not true that {reason}",
                "NO EQUIVALENT"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(change: &str, fate: Fate) -> Tried {
        Tried { rule: "sas-expired".to_owned(), change: change.to_owned(), fate }
    }

    #[test]
    fn survivors_and_equivalents_are_named_and_all_are_counted() {
        let killed = Fate::Killed { scenario: "device/x".to_owned(), variant: "main".to_owned() };
        let (scenario, variant) = ("device/y".to_owned(), "benign".to_owned());
        let refuted = Fate::Refuted { reason: "it comes once", scenario, variant };
        let nearest = Some("device/sas-expired".to_owned());
        let report = MutationReport {
            tried: vec![
                tried("disabled", killed),
                tried("severity Medium", Fate::Survived { nearest }),
                tried("scope hub", Fate::Equivalent { reason: "there is but one" }),
                tried("deduplication off", refuted),
            ],
            out_of_reach: vec![OutOfReach { rule: "d2c-amqp", reason: "nothing speaks it" }],
        };
        let text = "OUT OF REACH d2c-amqp: nothing speaks it\n  \
                    EQUIVALENT sas-expired: scope hub; there is but one\n\
                    NO EQUIVALENT sas-expired: deduplication off; noticed by device/y (benign), so it is not true \
                    that it comes once\n    \
                    SURVIVED sas-expired: severity Medium; nearest scenario device/sas-expired\n\
                    equivalent for the reasons above, and not counted: 1\n\
                    3 mutants, 2 killed, 1 survived";
        assert_eq!(report.to_string(), text);
    }
}
