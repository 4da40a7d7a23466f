//! A check of what a peer claims, and tables of checks. A table is a value: its order, and whether the first
//! cause ends it, are how a hub judges. What a check looks at was found out before; no check finds out more.

use std::fmt;
use std::sync::Arc;

use hilarm_model::RefusalCause;

/// The cause for which a check refuses a claim, if it does.
pub type Refuses<C> = Arc<dyn Fn(&C) -> Option<RefusalCause> + Send + Sync>;

/// One check of a claim.
#[derive(Clone)]
pub struct Check<C> {
    /// What it is called.
    pub name: &'static str,
    /// When it refuses.
    pub refuses: Refuses<C>,
}

impl<C> Check<C> {
    /// A check by its name.
    pub fn new(
        name: &'static str,
        refuses: impl Fn(&C) -> Option<RefusalCause> + Send + Sync + 'static,
    ) -> Self {
        Self { name, refuses: Arc::new(refuses) }
    }
}

impl<C> fmt::Debug for Check<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How far a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The first check that refuses ends it: one cause is named.
    First,
    /// Every check is asked: each independent cause is named.
    Every,
}

/// Checks in their order.
#[derive(Clone, Debug)]
pub struct Checks<C> {
    /// The checks.
    pub table: Vec<Check<C>>,
    /// How far they are read.
    pub reading: Reading,
}

impl<C> Checks<C> {
    /// The causes for which the claim is refused; none when it is good.
    pub fn causes(&self, claim: &C) -> Vec<RefusalCause> {
        let mut causes = self.table.iter().filter_map(|check| (check.refuses)(claim));
        match self.reading {
            Reading::First => causes.next().into_iter().collect(),
            Reading::Every => causes.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(reading: Reading) -> Checks<u8> {
        let refuse =
            |level| move |claim: &u8| (*claim < level).then_some(RefusalCause::ProtocolLevel { level });
        let table = vec![Check::new("three", refuse(3)), Check::new("five", refuse(5))];
        Checks { table, reading }
    }

    #[test]
    fn the_first_cause_in_order_or_every_cause_is_named() {
        let cause = |level| RefusalCause::ProtocolLevel { level };
        for (claim, first, every) in [
            (1, vec![cause(3)], vec![cause(3), cause(5)]),
            (4, vec![cause(5)], vec![cause(5)]),
            (5, vec![], vec![]),
        ] {
            assert_eq!(checks(Reading::First).causes(&claim), first);
            assert_eq!(checks(Reading::Every).causes(&claim), every);
        }
    }
}
