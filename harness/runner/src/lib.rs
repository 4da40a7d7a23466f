//! Runs scenarios: plan, the only clock, the only journal, proof and expectations, verdicts, reports.
//!
//! The runner gives everyone else their time and their turn. It knows nothing of MQTT, TLS or frames: it
//! carries what rooms hand it, in an order that does not depend on the machine, and judges what the journal
//! says. Malice comes from scenarios only.

mod ability;
mod autopsy;
mod checkup;
mod clock;
mod coverage;
mod coverage_text;
mod coverage_written;
mod device_log;
mod flows;
mod journal;
mod judge;
mod longer;
mod matching;
pub mod mutate;
mod one_run;
mod pool;
mod provision;
mod rendered;
mod replay;
pub mod report;
mod result;
mod script;
mod security_group_file;
mod seed;
mod service;
mod snapshot;
mod spare;
mod suite;
mod trial;
mod trust;
mod variant;
mod world;

pub use ability::lacking;
pub use checkup::{Checkup, Stage};
pub use coverage::{Coverage, CoverageError, CoverageRow, FiredBy, Shown};
pub use coverage_text::REGENERATE;
pub use coverage_written::{Guarded, Lost, NoTable, WrittenCoverage};
pub use journal::{Entry, HarnessRecord, Header, Journal, JournalError, Line, Recorded, read_journal};
pub use judge::{Finding, Verdict};
pub use pool::Pool;
pub use provision::{ProvisionError, T0};
pub use rendered::{OutputShape, render};
pub use replay::{Replayed, replay};
pub use result::{FiredAlert, RunResult};
pub use script::ScriptError;
pub use security_group_file::{SecurityGroupFile, SecurityGroupFileError, read_scenario};
pub use snapshot::{Snapshots, diff};
pub use suite::{Bench, Suite, TrialResult};
pub use trial::Trial;
pub use variant::Variant;
pub use world::WorldError;
