//! Set-up, firmware builds, code generation and tidy checks.

fn main() {}
