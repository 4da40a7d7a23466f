//! What the fold keeps of a device: bytes on the heap, with every range rule on, hour after hour of hub time.
//! Devices connect from ever new ports, so a fold that kept more than its open windows would grow. The bench
//! fails when a later hour ends with more than the first ones did.

use std::process::ExitCode;

use hilarm_defender::Defender;
use peak_alloc::PeakAlloc;

mod journal;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Events that a device causes in an hour, one in thirty seconds.
const HOURLY: usize = 120;
/// What the last window holds is not the same from hour to hour.
const TOLERANCE: f64 = 1.02;

fn main() -> ExitCode {
    // `cargo test --benches` passes no --bench: then a few devices show that it runs.
    let benching = std::env::args().any(|argument| argument == "--bench");
    let (sizes, hours): (&[usize], usize) = if benching { (&[10, 1_000, 10_000], 12) } else { (&[10], 4) };
    let flat = sizes.iter().map(|devices| is_flat(*devices, hours)).fold(true, |all, one| all & one);
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_flat(devices: usize, hours: usize) -> bool {
    // The threat list and the rules are not the devices'.
    let shared = HEAP.current_usage() + without_devices();
    let mut defender = journal::provisioned(devices);
    let mut kept = Vec::new();
    for hour in 0..hours {
        fold_hour(&mut defender, devices, hour);
        let bytes = HEAP.current_usage().saturating_sub(shared);
        kept.push(bytes as f64 / devices as f64);
    }
    let text: Vec<String> = kept.iter().map(|bytes| format!("{bytes:.0}")).collect();
    let most = |kept: &[f64]| kept.iter().copied().fold(0.0, f64::max);
    let (before, after) = kept.split_at(hours / 2);
    let flat = most(after) <= most(before) * TOLERANCE;
    let verdict = if flat { "flat" } else { "GROWS" };
    println!("{devices:>6} devices: {} bytes a device after each hour: {verdict}", text.join(", "));
    flat
}

/// Bytes of a fold without devices.
fn without_devices() -> usize {
    let empty = HEAP.current_usage();
    let defender = journal::provisioned(0);
    let bytes = HEAP.current_usage() - empty;
    drop(defender);
    bytes
}

fn fold_hour(defender: &mut Defender, devices: usize, hour: usize) {
    let events = devices * HOURLY;
    for record in journal::journal(devices, hour * events..(hour + 1) * events) {
        defender.handle(&record);
    }
    assert!(!defender.overflowed() && defender.alerts().is_empty());
}
