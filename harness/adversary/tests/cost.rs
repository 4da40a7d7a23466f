//! What a broker leaves behind, since rumqttd's router cannot be shut down. One test, alone in its process.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use hilarm_adversary::CommandAndControl;

mod mqtt;

use mqtt::*;

const RUNS: usize = 100;
const LEFT_KIB_MAX: usize = 256;

#[test]
fn a_finished_run_leaves_one_parked_thread_and_little_memory() {
    run();
    let (threads, kib) = (status("Threads:"), status("VmRSS:"));
    for _ in 0..RUNS {
        run();
    }
    let threads = status("Threads:") - threads;
    let kib = status("VmRSS:").saturating_sub(kib) / RUNS;
    println!("{threads} threads after {RUNS} runs, {kib} KiB a run");
    assert_eq!(threads, RUNS, "the router's thread, and no other");
    assert!(kib < LEFT_KIB_MAX, "{kib} KiB a run");
}

fn run() {
    let mut broker = CommandAndControl::start().unwrap();
    broker.order("orders/all", b"go").unwrap();
    broker.open(1);
    broker
        .send(1, &[connect("pump-1"), subscribe(1, "orders/#", 0), publish("exfil/x", &[0; 1000])].concat());
    broker.settle(Duration::from_secs(20)).unwrap();
    assert_eq!(broker.received().len(), 1);
}

/// A number of /proc/self/status.
fn status(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
