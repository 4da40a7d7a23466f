//! Reports: what people read, JSON lines and JUnit. They only render; nothing here judges.

mod human;
mod json;
mod junit;

pub use human::{Human, failure_text, trial_line};
pub use json::{result_line, summary_line};
pub use junit::junit;

use crate::judge::Verdict;
use crate::suite::TrialResult;

/// How many runs ended how, controls included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// As expected.
    pub pass: usize,
    /// Not as expected.
    pub fail: usize,
    /// The attack was not seen to land.
    pub unproven: usize,
    /// Repeats differed.
    pub flaky: usize,
    /// Harness, emulator or firmware failed.
    pub infra: usize,
    /// The file is wrong.
    pub spec_error: usize,
    /// Not run.
    pub skipped: usize,
}

impl Summary {
    /// Counts all runs.
    pub fn of(results: &[TrialResult]) -> Self {
        let mut summary = Self::default();
        results.iter().flat_map(|trial| &trial.runs).for_each(|run| summary.count(run.verdict));
        summary
    }

    /// Counts one more.
    pub fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Unproven => &mut self.unproven,
            Verdict::Flaky => &mut self.flaky,
            Verdict::Infra => &mut self.infra,
            Verdict::SpecError => &mut self.spec_error,
            Verdict::Skipped => &mut self.skipped,
        } += 1;
    }

    /// The process's exit code: 0 pass; 1 fail, unproven or flaky; 2 spec; 3 infra; 4 nothing ran. The
    /// gravest wins, a wrong file before a broken harness before a failed expectation.
    pub fn exit_code(&self) -> u8 {
        if self.spec_error > 0 {
            2
        } else if self.infra > 0 {
            3
        } else if self.fail + self.unproven + self.flaky > 0 {
            1
        } else if self.pass == 0 {
            4
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_gravest_verdict() {
        let code = |verdicts: &[Verdict]| {
            let mut summary = Summary::default();
            verdicts.iter().for_each(|verdict| summary.count(*verdict));
            summary.exit_code()
        };
        assert_eq!(code(&[Verdict::Pass, Verdict::Skipped]), 0);
        assert_eq!(code(&[Verdict::Pass, Verdict::Unproven]), 1);
        assert_eq!(code(&[Verdict::Fail, Verdict::Infra]), 3);
        assert_eq!(code(&[Verdict::SpecError, Verdict::Infra]), 2);
        assert_eq!(code(&[Verdict::Skipped]), 4, "missing hardware is never a pass");
        assert_eq!(code(&[]), 4);
    }
}
