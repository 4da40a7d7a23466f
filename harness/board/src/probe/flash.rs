//! The image and the chip: is it the right chip, does it hold the image already, and if not, erase, program,
//! verify.

use std::path::Path;

use probe_rs::architecture::arm::dp::{DPIDR, DpAddress, DpRegister};
use probe_rs::flashing::{DownloadOptions, ElfLoader, ElfOptions, FlashError, FlashLoader, build_loader};
use probe_rs::{MemoryInterface, Session};

use super::error::words;
use super::{ProbeError, reset};
use crate::ChipRegister;

/// Bytes compared at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// What flashing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flashed {
    /// The chip held the image already.
    Unchanged,
    /// It was written and read back.
    Written,
}

/// Refuses a chip that is not the board's. Only reads.
pub(super) fn check_chip(
    session: &mut Session,
    probe: &str,
    chip: &str,
    registers: &[ChipRegister],
) -> Result<(), ProbeError> {
    for register in registers {
        let found = read_register(session, register)? & register.mask;
        let expected = register.value & register.mask;
        if found != expected {
            let (probe, chip, register) = (probe.to_owned(), chip.to_owned(), register.name.clone());
            return Err(ProbeError::WrongChip { probe, chip, register, found, expected });
        }
    }
    Ok(())
}

/// Reads a register that a chip is known by.
pub(super) fn read_register(session: &mut Session, register: &ChipRegister) -> Result<u32, ProbeError> {
    let failed = |error: &dyn std::error::Error| ProbeError::Failed {
        doing: "reading what the chip is known by",
        error: format!("{}: {}", register.name, words(error)),
    };
    let Some(address) = register.address else {
        let port = session.get_arm_interface().map_err(|error| failed(&error))?;
        return port.read_raw_dp_register(DpAddress::Default, DPIDR::ADDRESS).map_err(|error| failed(&error));
    };
    let mut core = session.core(0).map_err(|error| failed(&error))?;
    core.read_word_32(address).map_err(|error| failed(&error))
}

/// Brings the image into the chip, unless it is there.
pub(super) fn flash(session: &mut Session, image: &Path, chip: &str) -> Result<Flashed, ProbeError> {
    let failed = |error: &probe_rs::Error| ProbeError::Failed { doing: "flashing", error: words(error) };
    let loader = build_loader(session, image, ElfLoader(ElfOptions::default()), None)
        .map_err(|error| ProbeError::Image { image: image.display().to_string(), error: words(&error) })?;
    if holds(session, &loader, chip)? {
        return Ok(Flashed::Unchanged);
    }
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(session, options).map_err(|error| {
        // The chip took the bytes and kept its own.
        let kept = matches!(error, FlashError::Verify);
        let error = words(&error);
        let chip = chip.to_owned();
        if kept || is_protection(&error) {
            ProbeError::Protected { chip, error }
        } else {
            ProbeError::Flash { chip, error }
        }
    })?;
    // The core still stands in the flash algorithm; a debugger that left now would let it run on from there, over the
    // image.
    session.core(0).map_err(|error| failed(&error)).and_then(|mut core| reset::soft(&mut core))?;
    // The flash algorithm's own verification is not taken at its word.
    if holds(session, &loader, chip)? {
        return Ok(Flashed::Written);
    }
    let error = "what was written does not read back; the flash may be write-protected".to_owned();
    Err(ProbeError::Protected { chip: chip.to_owned(), error })
}

/// Whether the chip holds all of the image.
fn holds(session: &mut Session, loader: &FlashLoader, chip: &str) -> Result<bool, ProbeError> {
    let mut core = session
        .core(0)
        .map_err(|error| ProbeError::Failed { doing: "reading back the flash", error: words(&error) })?;
    let mut found = vec![0; CHUNK_BYTES];
    for (address, data) in loader.data() {
        for (at, expected) in (address..).step_by(CHUNK_BYTES).zip(data.chunks(CHUNK_BYTES)) {
            let found = &mut found[..expected.len()];
            // A chip that answers everywhere but here hides its flash from debuggers.
            core.read(at, found)
                .map_err(|error| ProbeError::Protected { chip: chip.to_owned(), error: words(&error) })?;
            if found != expected {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether these are probe-rs's words for a locked chip.
pub(super) fn is_protection(error: &str) -> bool {
    let error = error.to_lowercase();
    ["locked", "protect", "permission"].iter().any(|word| error.contains(word))
}
