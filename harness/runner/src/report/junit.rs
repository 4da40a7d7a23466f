//! JUnit: a suite a board, a case a run.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::Verdict;
use crate::report::human::{Human, failure_text};
use crate::result::RunResult;
use crate::suite::TrialResult;

/// All results as a JUnit document.
pub fn junit(results: &[TrialResult]) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for trial in results {
        for run in &trial.runs {
            let suite = suites.entry(&run.board).or_insert_with(|| TestSuite::new(run.board.as_str()));
            suite.add_test_case(case(trial, run));
        }
    }
    let mut report = Report::new("hilarm");
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn case(trial: &TrialResult, run: &RunResult) -> TestCase {
    let mut status = match run.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Infra | Verdict::SpecError => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Fail | Verdict::Unproven | Verdict::Flaky => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
    };
    if run.verdict != Verdict::Pass {
        status.set_type(run.verdict.as_str());
        if let Some(finding) = run.findings.first() {
            status.set_message(finding.message.as_str());
        }
        if run.verdict != Verdict::Skipped {
            status.set_description(failure_text(Human { colour: false }, trial, None));
        }
    }
    let mut case = TestCase::new(run.variant.to_string(), status);
    case.set_classname(run.scenario.as_str());
    case.set_time(run.wall);
    case
}
