//! Real firmware in QEMU: one process a device, Ethernet frames over a datagram socket, the link over a
//! UART, time granted by the harness.

pub(crate) mod device;
pub(crate) mod monitor;
pub(crate) mod process;
mod version;

pub use device::{QemuDevice, QemuError};
pub use version::{QemuVersion, qemu_binary, qemu_version};
