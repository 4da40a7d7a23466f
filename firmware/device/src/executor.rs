//! The executor: runs tasks until none is ready, tells the harness, sleeps until an interrupt.
//!
//! QEMU takes WFE on this profile for a no-op, so embassy's stock executor would spin. WFI within a critical
//! section loses no wake-up: a pending interrupt ends it also while masked.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

use crate::device::Device;
use crate::idle::{IdlePath, IdleReporter};

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
static PENDED: AtomicBool = AtomicBool::new(false);

/// Counts the executor's rounds: a debug probe that sees it stand still knows that the firmware hangs. Found by its
/// name.
#[unsafe(export_name = "HILARM_HEARTBEAT")]
static HEARTBEAT: AtomicU32 = AtomicU32::new(0);

/// Embassy calls this from tasks and interrupts whenever a task becomes ready.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    PENDED.store(true, Ordering::Release);
}

/// Runs what `spawn` spawns, forever. `idle` says how the harness hears that nothing is left to do; a device
/// whose time is its own never tells.
pub fn run(device: &'static Device, idle: IdlePath, spawn: impl FnOnce(Spawner)) -> ! {
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    let mut reporter = IdleReporter::new(device, idle);
    spawn(executor.spawner());
    loop {
        // One writer, so no read-modify-write is needed, which not every core has.
        HEARTBEAT.store(HEARTBEAT.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        while PENDED.swap(false, Ordering::AcqRel) {
            // SAFETY: polled here only, from thread mode, never from within a task.
            unsafe { executor.poll() };
        }
        if let Some(granted) = device.link.granted_time() {
            let deadline_us = granted.next_deadline_us();
            if PENDED.load(Ordering::Acquire) {
                continue;
            }
            reporter.report(deadline_us);
        }
        critical_section::with(|_| {
            if !PENDED.load(Ordering::Acquire) {
                cortex_m::asm::wfi();
            }
        });
    }
}
