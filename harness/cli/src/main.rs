//! Hardware-in-the-loop security tests for IoT devices.

fn main() {}
