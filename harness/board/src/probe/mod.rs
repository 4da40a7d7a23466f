//! Boards behind a debug probe: silicon on a desk, or QEMU behind the probe bridge, by the same code. probe-rs does
//! the work and none of its types leave this room.
//!
//! One thread owns the session with a chip ([`ProbeSession`]). A board is opened once ([`Station`]): the probe is
//! chosen without guessing, the chip is made sure of, the image is written if it differs. For each run it is reset
//! and its configuration written into its memory. A [`Pool`] keeps open boards between runs.
//!
//! This room never erases a locked chip, never writes before it knows what it writes to, and never edits the local
//! file. Implements `probe-serial-containers.md`, section 1.

mod autopsy;
mod chips;
mod defmt;
mod device;
mod emulator;
mod error;
mod flash;
mod identity;
mod log;
mod pool;
mod reset;
mod rtt;
mod scan;
mod session;
mod station;
mod vitals;

use std::path::Path;

use probe_rs::probe::list::{Accessibility, Lister};

pub use device::ProbeDevice;
pub use error::ProbeError;
pub use flash::Flashed;
pub use identity::Candidate;
pub use log::LogLine;
pub use pool::{Lease, Pool};
pub use scan::{Proposal, Scan};
pub use session::ProbeSession;
pub use station::{Opened, Station, is_there};

/// The debug probes that are plugged in.
pub fn candidates() -> Vec<Candidate> {
    let listed = Lister::new().list_all_with_access();
    let mut found = Vec::new();
    for item in listed {
        let info = item.info;
        let (vid, pid, serial) = (info.vendor_id, info.product_id, info.serial_number);
        let paths = identity::usb_paths(Path::new(identity::USB_DEVICES), vid, pid, serial.as_deref());
        let twins_before = |other: &&Candidate| (other.vid, other.pid, &other.serial) == (vid, pid, &serial);
        let usb_path = paths.get(found.iter().filter(twins_before).count()).cloned();
        let accessible = item.accessibility == Accessibility::Accessible;
        found.push(Candidate { name: info.identifier, vid, pid, serial, usb_path, accessible });
    }
    found
}
