//! Hub messages a second.
fn main() {}
