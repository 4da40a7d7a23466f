//! Runs scenarios: plan, clock, journal, judgement.
