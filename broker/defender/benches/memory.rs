//! What the fold keeps of a device: bytes on the heap, with every range rule on, hour after hour of hub time.
//! Devices connect from ever new ports, so a fold that kept more than its open windows would grow. Then each has
//! many connections at once, which are to be gone with their window. The bench fails when a later hour ends with
//! more than the first ones did.

use std::process::ExitCode;

use hilarm_defender::Defender;
use hilarm_model::{HubRecord, SecurityPayload};
use peak_alloc::PeakAlloc;

mod journal;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Events that a device causes in an hour, one in thirty seconds.
const HOURLY: usize = 120;
/// Connections of a device in a window with many.
const CONNECTIONS: u16 = 50;
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
    let mut kept = Vec::with_capacity(hours);
    let mut defender = journal::provisioned(devices);
    let bytes = || HEAP.current_usage().saturating_sub(shared) as f64 / devices as f64;
    for hour in 0..hours {
        fold_hour(&mut defender, devices, hour);
        kept.push(bytes());
    }
    connect_often(&mut defender, devices, hours);
    let crowded = bytes();
    fold_hour(&mut defender, devices, hours);
    let afterwards = bytes();
    let most = |kept: &[f64]| kept.iter().copied().fold(0.0, f64::max) * TOLERANCE;
    let (before, after) = kept.split_at(hours / 2);
    let flat = after.iter().all(|bytes| *bytes <= most(before));
    let freed = crowded > most(&kept) && afterwards <= most(&kept);
    let text: Vec<String> = kept.iter().map(|bytes| format!("{bytes:.0}")).collect();
    let verdict = if flat { "flat" } else { "GROWS" };
    println!("{devices:>6} devices: {} bytes a device after each hour: {verdict}", text.join(", "));
    let verdict = if freed { "freed" } else { "KEPT" };
    println!(
        "    {crowded:.0} while each has {CONNECTIONS} connections, {afterwards:.0} afterwards: {verdict}"
    );
    flat && freed
}

/// Each device reports many connections, and the time is that of the hour's first event.
fn connect_often(defender: &mut Defender, devices: usize, hour: usize) {
    let first = hour * devices * HOURLY;
    for number in 0..devices {
        let flows = (0..CONNECTIONS).map(|port| journal::flow(1_024 + port)).collect();
        let event =
            journal::report(number, journal::device(number), [SecurityPayload::NetworkActivity(flows)]);
        defender.handle(&HubRecord { at: journal::at(devices, first), event });
    }
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
