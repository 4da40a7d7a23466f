//! Tests of the fold as a whole: defender.md 5 line by line, the catalogue, and what must hold for any
//! sequence of records.
