//! Mutants that are the same rule as the original, each with the reason. Everything else must be noticed.

/// Rule, change, reason. `*` stands for any rest of a name.
pub(super) const ALL: &[(&str, &str, &str)] = &[];

/// Why a mutant is the same as the original, where it is.
pub(super) fn reason(rule: &str, change: &str) -> Option<&'static str> {
    let known = |(rules, changes, _): &&(&str, &str, &str)| names(rules, changes, rule, change);
    ALL.iter().find(known).map(|(_, _, reason)| *reason)
}

/// Whether an entry of the table means this mutant.
pub(super) fn names(rules: &str, changes: &str, rule: &str, change: &str) -> bool {
    let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    };
    fits(rules, rule) && fits(changes, change)
}
