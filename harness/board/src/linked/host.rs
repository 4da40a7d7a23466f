//! Who holds a device: an emulator's process, a debug probe, or nobody but a cable.

use std::fmt;

use super::WireError;
use crate::DeviceFault;

/// Knows what befell the device when the link does not. A device at the end of a cable that nobody watches
/// needs none of it: every answer has a default.
pub trait Host: Send + fmt::Debug {
    /// What befell the device, as far as is known already: its firmware panicked, its core stands still.
    /// Asked whenever the device has said nothing for a while; must not wait.
    fn trouble(&mut self) -> Option<DeviceFault> {
        None
    }

    /// Why a wire broke. May wait a moment, within bounds, for what holds the device to end.
    fn lost(&mut self, doing: &'static str, error: &WireError) -> DeviceFault {
        self.trouble().unwrap_or_else(|| DeviceFault::LinkLost { doing, error: error.to_string() })
    }

    /// The end of what the firmware said.
    fn last_words(&self) -> String {
        String::new()
    }

    /// What else explains silence, e.g. the end of the console: empty, or beginning with `; `.
    fn detail(&self) -> String {
        String::new()
    }
}
