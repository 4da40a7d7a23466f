//! Firmware that hilarm did not write: how it learns who it is, what it can be asked to do, and a device
//! without any link, whose frames are all that crosses.
//!
//! This room never decides what is skipped: it says what a board can do, and the runner compares.

mod device;
mod identity;
mod spec;

pub use device::UnlinkedDevice;
pub use identity::{IdentityError, identity_text};
pub(crate) use identity::{Written, written};
pub use spec::{AgentSpec, DeviceStep, IdentityFormat, IdentitySpec, ProvisionedSpec};
