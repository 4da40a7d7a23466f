//! What every target shares: executor, time, link, network, TLS, memory, the way it dies, and the agent's
//! surroundings. A target adds an entry point, a memory layout and drivers.
//!
//! It never decides what the device does: that is `hilarm_agent`'s. It names no board and no register of a
//! board; only those of the processor's core, which all boards have.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

// Called by name and through no macro of ours: a log line stands where the compiler finds it.
#[cfg(target_os = "none")]
use defmt::{debug, info, warn};

/// On the host, where the tests run, nobody reads the log.
#[cfg(not(target_os = "none"))]
macro_rules! unread {
    ($text:literal $(, $argument:expr)* $(,)?) => {{
        let _ = ($(&$argument,)*);
    }};
}
#[cfg(not(target_os = "none"))]
use {unread as debug, unread as info, unread as warn};

mod agent;
mod core_clock;
#[cfg(target_os = "none")]
mod crash;
mod device;
mod executor;
#[cfg(target_os = "none")]
mod failure;
mod frames;
mod idle;
mod interface;
mod link;
#[cfg(target_os = "none")]
mod log;
#[cfg(target_os = "none")]
mod memory;
mod net;
mod port;
mod registers;
mod ring;
mod rng;
#[cfg(target_os = "none")]
mod rtt;
#[cfg(target_os = "none")]
mod rtt_link;
mod time;
mod tls;
mod transport;

pub use core_clock::CoreClock;
#[cfg(target_os = "none")]
pub use crash::start_watchdog_by;
pub use device::{Device, Parts, banner};
pub use executor::run;
#[cfg(target_os = "none")]
pub use failure::print_failures_by;
pub use frames::FrameTap;
pub use idle::IdlePath;
pub use interface::start_over_link;
pub use link::{Receive, Transmit, receive};
#[cfg(target_os = "none")]
pub use memory::{Guard, Memory, count_boot};
pub use net::start;
pub use registers::Registers;
pub use ring::ReceiveRing;
pub use rng::{HardwareSeeds, Purpose, Randomness, Seeds};
#[cfg(target_os = "none")]
pub use rtt_link::RttLink;
pub use time::{GrantedTime, Pace, WideCounter};
pub use transport::{Buffers, SOCKETS};
