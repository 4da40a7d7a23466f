//! Tests of the fold as a whole: the catalogue, defender.md 5 line by line, and what must hold for any
//! sequence of records.

mod any_records;
mod catalogue;
mod deduplication;
pub(crate) mod fixture;
mod other_rules;
mod output_shapes;
pub(crate) mod range_row;
mod range_rules;
mod security_alerts;
mod seed_documents;
mod seed_rows;
mod semantics;
mod settled;
