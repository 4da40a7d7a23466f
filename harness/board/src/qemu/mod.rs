//! Real firmware in QEMU: one process a device, Ethernet frames over a datagram socket, the link over a
//! UART, time granted by the harness. A [`QemuPool`] keeps processes between runs.

mod device;
pub(crate) mod machine;
pub(crate) mod monitor;
mod pool;
pub(crate) mod process;
pub(crate) mod version;

pub use device::{QemuDevice, QemuError};
pub use pool::QemuPool;
pub use version::{QemuVersion, qemu_binary, qemu_version};
